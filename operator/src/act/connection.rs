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
};

/// How long a password reset may take before the pass gives up waiting.
const RESET_DEADLINE: Duration = Duration::from_secs(20);

/// Both ways to the database. Neon's answer carries the password where the project stores it; where it does not,
/// only our own Secret has it.
pub(super) async fn fetch(ctx: &Context, observed: &Observed) -> Result<Outcome, Error> {
    let live = bound(observed)?;
    let direct = uri(ctx, live, false).await?;
    if let Some(pooled) = unchanged_pooled(observed, &direct) {
        return Ok(Outcome::Connection(Connection::Known { direct, pooled }));
    }
    let pooled = uri(ctx, live, true).await?;
    if direct.password().is_some() {
        return Ok(Outcome::Connection(Connection::Known { direct, pooled }));
    }
    let stored = ctx.neon.reveal_password(&live.id, &live.branch_id, ROLE).await?;
    Ok(Outcome::Connection(match stored.or_else(|| kept_password(observed)) {
        Some(password) => with_password(&direct, &pooled, &password)?,
        None => Connection::PasswordLost,
    }))
}

async fn uri(ctx: &Context, live: &LiveProject, pooled: bool) -> Result<ConnectionUri, Error> {
    Ok(ctx.neon.connection_uri(&live.id, &live.branch_id, DATABASE, ROLE, pooled).await?)
}

/// An intact Secret whose direct way is still right saves asking for the pooled one.
fn unchanged_pooled(observed: &Observed, direct: &ConnectionUri) -> Option<ConnectionUri> {
    let Secret::Ours { content, intact: true, version: _ } = &observed.secret else {
        return None;
    };
    let same = content.get("uri") == Some(direct.expose());
    same.then(|| content.get("pooled-uri")).flatten().and_then(|uri| ConnectionUri::parse(uri).ok())
}

fn kept_password(observed: &Observed) -> Option<SecretString> {
    match &observed.secret {
        Secret::Ours { content, intact: true, version: _ } => {
            content.get("password").map(SecretString::from)
        }
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
    let (direct, pooled) = (uri(ctx, live, false).await?, uri(ctx, live, true).await?);
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
