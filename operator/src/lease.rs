//! Which of several operators is at work: the holder of one Lease.
//!
//! In: the Lease's place, this process's name for itself, how to end it. Out: [`Held`], which renews the Lease until it is released,
//! and ends the process when it is lost. Whoever loses it must end before another may take it: `turn` measures both ends by the process's own clock,
//! never by a time that another machine wrote. It must not know what the holder does.

mod turn;

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{admin::Readiness, metrics::Metrics};
use turn::{Seen, Turn};

/// What stays wrong is said so often.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// One operator's way to the Lease.
#[derive(Clone)]
pub struct Candidate {
    /// The Leases of its namespace.
    pub leases: Api<Lease>,
    /// Name of the Lease.
    pub name: String,
    /// This process; no other has this name, not even one that was started in its place.
    pub identity: String,
    /// How long a holder that is silent keeps the Lease.
    pub duration: Duration,
    /// Who is told whether the Lease can be seen at all.
    pub readiness: Arc<Readiness>,
    /// What is counted.
    pub metrics: Metrics,
    /// Ends the process, at once: called by the task that renews, whatever the others are doing, when the Lease is lost.
    pub end: fn(),
}

/// The Lease is ours.
pub struct Held {
    renewing: JoinHandle<Lease>,
    release: watch::Sender<bool>,
    candidate: Candidate,
}

/// Why a call about the Lease brought nothing.
struct Problem {
    words: String,
    /// Somebody else was quicker, which is no trouble.
    is_race: bool,
}

impl Candidate {
    /// Waits until the Lease is ours, or until `stopping` becomes true.
    pub async fn acquire(self, mut stopping: watch::Receiver<bool>) -> Option<Held> {
        tracing::info!(lease = self.name, identity = self.identity, "waiting for the lease");
        let (mut seen, mut heard, mut told) = (Seen::default(), None, None::<Instant>);
        // A request under way is waited for: it may have won, and then the Lease must be handed on.
        while !*stopping.borrow() {
            let asked = Instant::now();
            match self.attempt(&mut seen).await {
                Ok(Some(lease)) => return Some(self.hold(lease, asked)),
                Ok(None) => {
                    heard = Some(asked);
                    self.readiness.heard_of_lease(true);
                }
                Err(Problem { words, is_race: _ }) => {
                    // It is asked for more than once a second: said at once, and then once a minute.
                    if told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
                        tracing::warn!(lease = self.name, problem = words, "no word of the lease");
                        told = Some(Instant::now());
                    }
                    let is_recent = |heard: Instant| heard.elapsed() < self.duration;
                    self.readiness.heard_of_lease(heard.is_some_and(is_recent));
                }
            }
            tokio::select! {
                () = sleep(turn::pause(self.duration)) => {}
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        }
        None
    }

    /// Looks at the Lease and takes it if nobody has it.
    async fn attempt(&self, seen: &mut Seen) -> Result<Option<Lease>, Problem> {
        let found = self.patiently(self.leases.get_opt(&self.name)).await?;
        // Ours already: the answer to an earlier request of ours was lost.
        let is_ours = found.as_ref().and_then(turn::holder) == Some(&self.identity);
        let turn = turn::of(found.as_ref(), seen, Instant::now(), self.duration);
        if turn == Turn::Wait && !is_ours {
            return Ok(None);
        }
        let wanted = self.taken(found.as_ref());
        let params = PostParams::default();
        let taken = match found {
            None => self.patiently(self.leases.create(&params, &wanted)).await,
            Some(_) => self.patiently(self.leases.replace(&self.name, &params, &wanted)).await,
        };
        match taken {
            Ok(lease) => Ok(Some(lease)),
            Err(Problem { words: _, is_race: true }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// A call that is not answered soon counts as failed.
    async fn patiently<T>(
        &self,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Problem> {
        let late = "the Kubernetes API did not answer in time".to_owned();
        match timeout(turn::patience(self.duration), call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let (words, is_race) = match &error {
                    kube::Error::Api(status) => (status.message.clone(), status.code == 409),
                    other => (other.to_string(), false),
                };
                Err(Problem { words, is_race })
            }
            Err(_) => Err(Problem { words: late, is_race: false }),
        }
    }

    /// The Lease as we hold it from now on.
    fn taken(&self, found: Option<&Lease>) -> Lease {
        let before = found.and_then(|lease| lease.spec.as_ref()?.lease_transitions);
        let metadata = match found {
            // With its version: if somebody else wrote it meanwhile, this write is refused.
            Some(lease) => lease.metadata.clone(),
            None => ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
        };
        let now = Some(MicroTime(jiff::Timestamp::now()));
        let spec = LeaseSpec {
            acquire_time: now.clone(),
            renew_time: now,
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs().max(1)).ok(),
            lease_transitions: Some(before.map_or(0, |count| count.saturating_add(1))),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    fn hold(self, lease: Lease, since: Instant) -> Held {
        tracing::info!(lease = self.name, identity = self.identity, "leading");
        self.metrics.leading(true);
        let (release, released) = watch::channel(false);
        let candidate = self.clone();
        let renewing = tokio::spawn(async move {
            let (lease, is_lost) = candidate.renew(lease, since, released).await;
            if is_lost {
                candidate.metrics.leading(false);
                (candidate.end)();
            }
            lease
        });
        Held { renewing, release, candidate: self }
    }

    /// Renews until released (the Lease as it then is) or lost (`true`). `since` is when the last write that went through was
    /// begun: the API server took it later, so others wait longer than we do.
    async fn renew(
        &self,
        mut lease: Lease,
        mut since: Instant,
        mut released: watch::Receiver<bool>,
    ) -> (Lease, bool) {
        loop {
            let end = since + turn::deadline(self.duration);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(end) => {
                    tracing::error!(lease = self.name, "the lease could not be renewed in time");
                    return (lease, true);
                }
                _ = released.wait_for(|release| *release) => return (lease, false),
                () = sleep(turn::pause(self.duration)) => {}
            }
            let begun = Instant::now();
            match timeout(end.saturating_duration_since(begun), self.once_more(&lease)).await {
                Ok(Ok(Some(renewed))) => (lease, since) = (renewed, begun),
                Ok(Ok(None)) => {
                    tracing::error!(lease = self.name, "another operator has the lease");
                    return (lease, true);
                }
                Ok(Err(Problem { words, is_race: _ })) => {
                    tracing::warn!(lease = self.name, problem = words, "the lease was not renewed");
                }
                Err(_) => {} // the loop's first branch says it
            }
        }
    }

    /// One renewal; `None` when the Lease has become somebody else's.
    async fn once_more(&self, lease: &Lease) -> Result<Option<Lease>, Problem> {
        let now = Some(MicroTime(jiff::Timestamp::now()));
        let spec = lease.spec.clone().unwrap_or_default();
        let wanted = |metadata: &ObjectMeta| Lease {
            metadata: metadata.clone(),
            spec: Some(LeaseSpec { renew_time: now.clone(), ..spec.clone() }),
        };
        let params = PostParams::default();
        let replace = async |lease: Lease| {
            self.patiently(self.leases.replace(&self.name, &params, &lease)).await
        };
        let problem = match replace(wanted(&lease.metadata)).await {
            Ok(renewed) => return Ok(Some(renewed)),
            Err(problem) => problem,
        };
        // A write of ours whose answer was lost, or a person's label, also moves the version.
        let found = self.patiently(self.leases.get_opt(&self.name)).await?;
        match found {
            Some(found) if turn::holder(&found) == Some(&self.identity) => {
                replace(wanted(&found.metadata)).await.map(Some)
            }
            Some(_) => Ok(None),
            // Removed by hand: whoever comes first makes it anew, and that may be another.
            None => {
                tracing::warn!(lease = self.name, problem = problem.words, "the lease was removed");
                Ok(None)
            }
        }
    }
}

impl Held {
    /// Hands the Lease on, so that nobody has to wait until it runs out. Nothing may be at work any more.
    pub async fn release(self) {
        let _ = self.release.send(true);
        let Ok(mut lease) = self.renewing.await else { return };
        self.candidate.metrics.leading(false);
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        let (leases, params) = (&self.candidate.leases, PostParams::default());
        let replaced = leases.replace(&self.candidate.name, &params, &lease);
        match self.candidate.patiently(replaced).await {
            Ok(_) => tracing::info!(lease = self.candidate.name, "the lease is released"),
            Err(Problem { words, is_race: _ }) => {
                let lease = self.candidate.name;
                tracing::warn!(lease, problem = words, "the lease runs out by itself");
            }
        }
    }
}
