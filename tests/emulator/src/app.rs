//! What all parts of the emulator share: state, faults, ledger, Postgres, TLS, and the clock. In: flags. Out: [`App`].
//! Its lock is never held across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;

use crate::args::Args;
use crate::data::Data;
use crate::faults::Faults;
use crate::gate::Limits;
use crate::ledger::Ledger;
use crate::proxy::Tls;
use crate::secrets::Secrets;
use crate::world::{Millis, Settings, World};

/// Shared by every task.
pub(crate) type Shared = Arc<App>;

/// The emulator.
pub(crate) struct App {
    pub(crate) args: Args,
    pub(crate) data: Data,
    pub(crate) tls: Tls,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    pub(crate) limits: Limits,
    pub(crate) secrets: Secrets,
    world: Mutex<World>,
}

impl App {
    pub(crate) async fn start(args: Args) -> anyhow::Result<Shared> {
        let tls = Tls::load(&args.tls_cert, &args.tls_key).context("TLS certificate and key")?;
        let data = Data::connect(&args).await.context("Postgres at --postgres-url")?;
        let ledger = Ledger::open(args.record.as_deref()).context("--record")?;
        let settings = Settings {
            operation_millis: i64::try_from(args.operation_millis)?,
            cold_start_millis: i64::try_from(args.cold_start_millis)?,
            org_id: args.org_id.clone(),
            ..Settings::default()
        };
        let world = Mutex::new(World::new(settings));
        let secrets = Secrets::new(&args.api_key);
        Ok(Arc::new(Self {
            args,
            data,
            tls,
            faults: Faults::default(),
            ledger,
            limits: Limits::default(),
            secrets,
            world,
        }))
    }

    /// The state as of now: time has passed in it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.tick(now());
        world
    }

    /// The state as the last call left it: a reply shows what the call began, not what came of it.
    pub(crate) fn world_as_is(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}
