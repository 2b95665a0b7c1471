//! Free ports on loopback.
//!
//! In: how many. Out: ports that nobody listens on at this moment, from below the range that outgoing connections use, so that
//! only another chooser can take one before its server binds it. Whoever uses them tries again when that happens.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that is free now and that this process has not been given before (until all have been tried).
pub(crate) fn free() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes start at different places, so that two of them seldom want the same port.
    let start = (std::process::id().wrapping_mul(7919) % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free between 20000 and 32000")
}

/// Whether somebody accepts connections there.
pub(crate) fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), Duration::from_millis(200))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_is_not_given_twice() {
        let (one, two) = (free().unwrap(), free().unwrap());
        assert_ne!(one, two);
        assert!(!answers(one));
        let _server = TcpListener::bind((Ipv4Addr::LOCALHOST, one)).unwrap();
        assert!(answers(one));
    }
}
