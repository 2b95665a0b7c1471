//! Steps on the way to the database: its connection, its password, its schema.

use std::time::Duration;

use secrecy::SecretString;

use super::project::{bound, summarise};
use crate::{
    context::Context,
    desired::{DATABASE, Desired, ROLE},
    error::Error,
    neon::ConnectionUri,
    observed::{Connection, LiveProject, Observed, Operations, Outcome, Secret},
    secret::Content,
};

/// How long a password reset may take before the pass gives up waiting.
const RESET_DEADLINE: Duration = Duration::from_secs(20);

/// Both ways to the database. Neon's answer carries the password where the project stores it; where it does not,
/// only our own Secret has it.
pub(super) async fn fetch(ctx: &Context, observed: &Observed) -> Result<Outcome, Error> {
    let live = bound(observed)?;
    let (direct, pooled) = both(ctx, live, kept(observed)).await?;
    if direct.password().is_some() {
        return Ok(Outcome::Connection(Connection::Known { direct, pooled }));
    }
    let stored = ctx.neon.reveal_password(&live.id, &live.branch_id, ROLE).await?;
    let kept = || kept(observed)?.get("password").map(SecretString::from);
    Ok(Outcome::Connection(match stored.or_else(kept) {
        Some(password) => with_password(&direct, &pooled, &password)?,
        None => Connection::PasswordLost,
    }))
}

async fn uri(ctx: &Context, live: &LiveProject, pooled: bool) -> Result<ConnectionUri, Error> {
    Ok(ctx.neon.connection_uri(&live.id, &live.branch_id, DATABASE, ROLE, pooled).await?)
}

/// Both ways, asked for at once. What an intact Secret says of the pooled one holds while its direct one does.
async fn both(
    ctx: &Context,
    live: &LiveProject,
    kept: Option<&Content>,
) -> Result<(ConnectionUri, ConnectionUri), Error> {
    let Some(kept) = kept else {
        return tokio::try_join!(uri(ctx, live, false), uri(ctx, live, true));
    };
    let direct = uri(ctx, live, false).await?;
    let same = kept.get("uri") == Some(direct.expose());
    let pooled = same.then(|| kept.get("pooled-uri")).flatten();
    match pooled.and_then(|text| ConnectionUri::parse(text).ok()) {
        Some(pooled) => Ok((direct, pooled)),
        None => Ok((direct, uri(ctx, live, true).await?)),
    }
}

/// What our Secret holds, where nobody has edited it.
fn kept(observed: &Observed) -> Option<&Content> {
    match &observed.secret {
        Secret::Ours { content, intact: true, version: _ } => Some(content),
        Secret::Ours { content: _, intact: false, version: _ }
        | Secret::Missing
        | Secret::Foreign => None,
    }
}

fn with_password(
    direct: &ConnectionUri,
    pooled: &ConnectionUri,
    password: &SecretString,
) -> Result<Connection, Error> {
    let set = |uri: &ConnectionUri| {
        uri.with_password(password).map_err(|bad| Error::Incomplete(bad.to_string()))
    };
    Ok(Connection::Known { direct: set(direct)?, pooled: set(pooled)? })
}

/// The new password is known to nobody but this pass: it waits for Neon to finish, so that the Secret is written
/// before anything can be forgotten.
pub(super) async fn reset_password(ctx: &Context, observed: &Observed) -> Result<Outcome, Error> {
    let live = bound(observed)?;
    let (password, _) = ctx.neon.reset_password(&live.id, &live.branch_id, ROLE).await?;
    let deadline = tokio::time::Instant::now() + RESET_DEADLINE;
    while summarise(&ctx.neon.operations(&live.id).await?) == Operations::Pending {
        if tokio::time::Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (direct, pooled) = both(ctx, live, None).await?;
    Ok(Outcome::Connection(with_password(&direct, &pooled, &password)?))
}

pub(super) async fn migrate(
    ctx: &Context,
    desired: &Desired,
    observed: &Observed,
) -> Result<Outcome, Error> {
    let Connection::Known { direct, pooled: _ } = &observed.connection else {
        return Err(Error::Incomplete("the connection is not known".to_owned()));
    };
    // Straight to the compute: a transaction pooler keeps no session, and so no advisory lock.
    let version = ctx.migrations.apply(direct, desired.dimensions, &ctx.database).await?;
    Ok(Outcome::Migrated(version))
}
