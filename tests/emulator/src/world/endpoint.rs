//! One compute endpoint: its state over time (init, active, idle), its ports and how many connections it has. In: the
//! time, connections coming and going, start and suspend. Out: states, and a [`Door`] that the proxy's tasks watch.
//! Pure but for the watch channel; it opens no socket.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{Millis, Settings};

/// What runs behind the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compute {
    Init,
    Active,
    Idle,
}

impl Compute {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Active => "active",
            Self::Idle => "idle",
        }
    }
}

/// Where the proxy listens for this endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) host: IpAddr,
    pub(crate) direct: u16,
    pub(crate) pooled: u16,
}

/// What the proxy's tasks for this endpoint have to obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    /// Whether the ports are listened on at all.
    pub(crate) listening: bool,
    /// Raised to cut every open connection.
    pub(crate) cuts: u64,
    /// The endpoint is gone for good.
    pub(crate) closed: bool,
}

impl Door {
    pub(crate) fn open() -> Self {
        Self { listening: true, cuts: 0, closed: false }
    }
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) branch_id: String,
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
    pub(crate) min_cu: f64,
    pub(crate) max_cu: f64,
    pub(crate) suspend_timeout_seconds: i64,
    pub(crate) settings: Map<String, Value>,
    pub(crate) disabled: bool,
    pub(crate) passwordless_access: bool,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) state: Compute,
    /// The state it is changing to, and when it gets there.
    pub(crate) pending: Option<(Compute, Millis)>,
    pub(crate) last_active: Option<Millis>,
    pub(crate) started_at: Millis,
    pub(crate) suspended_at: Option<Millis>,
    pub(crate) ports: Ports,
    pub(crate) door: watch::Sender<Door>,
    /// Connections that passed TLS and named a role and database, ever and now.
    pub(crate) connections_ever: u64,
    pub(crate) connections_open: u64,
    /// How often a connection woke it.
    pub(crate) wakes: u64,
}

impl Endpoint {
    pub(crate) fn new(id: &str, branch_id: &str, ports: Ports, now: Millis) -> Self {
        Self {
            id: id.to_owned(),
            branch_id: branch_id.to_owned(),
            kind: "read_write".to_owned(),
            name: None,
            min_cu: 0.25,
            max_cu: 0.25,
            suspend_timeout_seconds: 0,
            settings: Map::new(),
            disabled: false,
            passwordless_access: true,
            created_at: now,
            updated_at: now,
            state: Compute::Init,
            pending: Some((Compute::Active, now)),
            last_active: None,
            started_at: now,
            suspended_at: None,
            ports,
            door: watch::Sender::new(Door::open()),
            connections_ever: 0,
            connections_open: 0,
            wakes: 0,
        }
    }

    /// Idle time after which it is suspended; `None`: never.
    fn idle_limit(&self, settings: &Settings) -> Option<i64> {
        match (self.suspend_timeout_seconds, settings.suspend_after_millis) {
            (-1, _) => None,
            (_, Some(millis)) => Some(millis),
            (0, None) => Some(300_000),
            (seconds, None) => Some(seconds * 1000),
        }
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Millis, settings: &Settings) {
        if let Some((target, at)) = self.pending
            && at <= now
        {
            self.pending = None;
            self.enter(target, at);
        }
        if self.state == Compute::Active && self.pending.is_none() && self.connections_open == 0 {
            let since = self.last_active.unwrap_or(0).max(self.started_at);
            if let Some(limit) = self.idle_limit(settings)
                && since + limit <= now
            {
                self.enter(Compute::Idle, since + limit);
            }
        }
    }

    fn enter(&mut self, state: Compute, at: Millis) {
        self.state = state;
        match state {
            Compute::Active => (self.started_at, self.suspended_at) = (at, None),
            Compute::Idle => self.suspended_at = Some(at),
            Compute::Init => {}
        }
    }

    /// Begins to change to `target`, getting there at `at`.
    pub(crate) fn change(&mut self, target: Compute, at: Millis) {
        if self.state != target {
            self.pending = Some((target, at));
        }
        if target == Compute::Idle {
            self.cut();
        }
    }

    /// A connection arrives: wakes it where needed and says when it is up (`None`: it is being suspended or never
    /// gets up). Returns whether it was this connection that woke it.
    pub(crate) fn wake(&mut self, now: Millis, cold_start: i64) -> (Option<Millis>, bool) {
        match (self.state, self.pending) {
            (_, Some((Compute::Active, at))) => ((at != Millis::MAX).then_some(at), false),
            (_, Some(_)) => (None, false),
            (Compute::Active, None) => (Some(now), false),
            (Compute::Idle | Compute::Init, None) => {
                self.pending = Some((Compute::Active, now + cold_start));
                self.wakes += 1;
                (Some(now + cold_start), true)
            }
        }
    }

    pub(crate) fn cut(&self) {
        self.door.send_modify(|door| door.cuts += 1);
    }

    pub(crate) fn close(&self) {
        self.door.send_modify(|door| door.closed = true);
    }

    pub(crate) fn host(&self, pooled: bool) -> String {
        let port = if pooled { self.ports.pooled } else { self.ports.direct };
        SocketAddr::new(self.ports.host, port).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint::new(
            "ep-x",
            "br-x",
            Ports { host: [127, 0, 0, 1].into(), direct: 1, pooled: 2 },
            1000,
        )
    }

    #[test]
    fn it_starts_idles_and_wakes() {
        let settings = Settings::default();
        let mut it = endpoint();
        it.pending = Some((Compute::Active, 2000));
        it.tick(1999, &settings);
        assert_eq!(it.state, Compute::Init);
        it.tick(2000, &settings);
        assert_eq!(it.state, Compute::Active);
        it.tick(301_999, &settings);
        assert_eq!(it.state, Compute::Active);
        it.tick(302_000, &settings);
        assert_eq!((it.state, it.suspended_at), (Compute::Idle, Some(302_000)));
        assert_eq!(it.wake(400_000, 500), (Some(400_500), true));
        assert_eq!(it.wake(400_100, 500), (Some(400_500), false));
        it.tick(400_500, &settings);
        assert_eq!((it.state, it.wakes), (Compute::Active, 1));
    }

    #[test]
    fn open_connections_and_minus_one_keep_it_up() {
        let settings = Settings { suspend_after_millis: Some(10), ..Settings::default() };
        let mut it = endpoint();
        it.connections_open = 1;
        it.tick(5000, &settings);
        assert_eq!(it.state, Compute::Active);
        it.connections_open = 0;
        it.suspend_timeout_seconds = -1;
        it.tick(5000, &settings);
        assert_eq!(it.state, Compute::Active);
        it.suspend_timeout_seconds = 0;
        it.tick(5000, &settings);
        assert_eq!(it.state, Compute::Idle);
    }

    #[test]
    fn a_stuck_start_never_gets_up() {
        let mut it = endpoint();
        it.pending = Some((Compute::Active, Millis::MAX));
        it.tick(i64::MAX - 1, &Settings::default());
        assert_eq!((it.state, it.wake(5, 0)), (Compute::Init, (None, false)));
    }
}
