//! What both programs are as processes, the same way: [`log`], [`signals`], the way to the [`cluster`], and what they cost
//! ([`metrics`]).

pub mod cluster;
pub mod log;
pub mod metrics;
pub mod signals;
