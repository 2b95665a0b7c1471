//! tests/stack
