//! The whole product as pods on a real node; `make e2e-pods` runs it.
