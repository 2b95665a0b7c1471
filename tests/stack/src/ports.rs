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
const TRIES: usize = 3;

/// A port that is free now and that this process has not been given before (until all have been tried).
pub fn free() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes start at different places, so that two of them seldom want the same port.
    let start = (std::process::id().wrapping_mul(7919) % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free between 20000 and 32000")
}

/// Starts a server by `attempt`, which picks its ports; again when one was taken in between.
pub fn until_free<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        match attempt() {
            Err(error) if is_clash(&error) => {}
            result => return result,
        }
    }
    attempt()
}

/// A server that meets a taken port says so in its log, which is part of the error.
fn is_clash(error: &anyhow::Error) -> bool {
    format!("{error:#}").to_lowercase().contains("address already in use")
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

    #[test]
    fn a_taken_port_is_another_try_and_any_other_failure_is_not() {
        let mut attempts = 0;
        let result = until_free(|| {
            attempts += 1;
            if attempts < 3 {
                Err(anyhow::anyhow!("bind: Address already in use"))
            } else {
                Ok(attempts)
            }
        });
        assert_eq!(result.unwrap(), 3);
        let mut attempts = 0;
        let result: Result<()> = until_free(|| {
            attempts += 1;
            Err(anyhow::anyhow!("unknown flag"))
        });
        assert!(result.is_err());
        assert_eq!(attempts, 1);
    }
}
