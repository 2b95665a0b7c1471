//! tests/emulator
