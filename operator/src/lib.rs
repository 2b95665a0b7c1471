//! operator

pub mod neon;
