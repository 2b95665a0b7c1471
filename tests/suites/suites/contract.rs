//! Both sides of the Neon API against what Neon published and what it was recorded to say.

mod client;
mod recorded;
