//! The app, as the people who use it meet it: real browser requests, a real operator, real databases, a real model.
//!
//! [`sign_in`] who it is, [`tenants`] their database, [`documents`] and [`files`] files, [`search`] passages, [`strangers`] nobody sees what
//! is another's, [`kills`] SIGKILL in the middle, [`outages`] what it depends on is away, [`browser`] a real browser. [`chat`] answers,
//! [`chat_faults`] those that fail, [`chat_resume`] those that are cut off, [`chat_history`] what is kept of them, [`chat_limits`] and
//! [`chat_security`] what nobody gets, [`chat_clients`] somebody else's client.

mod browser;
mod chat;
mod chat_clients;
mod chat_faults;
mod chat_history;
mod chat_limits;
mod chat_resume;
mod chat_security;
mod documents;
mod files;
mod kills;
mod outages;
mod retrieval;
mod search;
mod sign_in;
mod strangers;
mod tenants;

use acceptance::pdf;

/// Three pages about three things.
fn animals() -> Vec<u8> {
    pdf(&[
        "The harbour of Lisbon lies on the Tagus. Ships bring cork and sardines to the market every morning.",
        "A lynx hunts at night. Its ears end in black tufts, and its fur turns grey in winter.",
        "The invoice number is ZX-4711. Payment is due within thirty days by bank transfer.",
    ])
}
