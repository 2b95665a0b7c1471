//! What asks a process to end.
//!
//! In: SIGTERM and SIGINT. Out: the first lets what is in hand finish, the second ends the process at once.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// SIGTERM and SIGINT. The first process of a container is told nothing that it has no handler for, so this comes first.
pub struct Signals([Signal; 2]);

impl Signals {
    /// Listens for them from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn new() -> io::Result<Self> {
        let new = |kind| {
            signal(kind).map_err(|error| {
                io::Error::new(error.kind(), format!("signals cannot be listened for: {error}"))
            })
        };
        Ok(Self([new(SignalKind::terminate())?, new(SignalKind::interrupt())?]))
    }

    /// Until one comes.
    pub async fn next(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }

    /// What is in hand ends by itself after the first, which `true` stands for; the second does not wait for it.
    #[must_use]
    pub fn stopping(mut self) -> watch::Receiver<bool> {
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            self.next().await;
            tracing::info!("ending after what is in hand; a second signal ends at once");
            let _ = stop.send(true);
            self.next().await;
            tracing::warn!("ended at once");
            std::process::exit(130)
        });
        stopping
    }
}
