//! Sessions in the main database: found by the hash of a random id, ended by time, by signing out, or with the account.

use uuid::Uuid;

use super::{Signed, cookies::Token};
use crate::{error::Error, state::App};

/// A new session; whoever had one in this browser has it no longer.
pub(super) async fn begin(app: &App, user: Uuid, old: Option<Token>) -> Result<Token, Error> {
    if let Some(old) = old {
        end(app, &old).await?;
    }
    let token = Token::random().map_err(|_| Error::internal("no randomness"))?;
    sqlx::query(
        "insert into sessions (id_hash, user_id, expires_at) values ($1, $2, now() + make_interval(hours => $3))",
    )
    .bind(&token.hash)
    .bind(user)
    .bind(i32::try_from(app.args.sign_in.session_hours).unwrap_or(i32::MAX))
    .execute(&app.db)
    .await?;
    Ok(token)
}

/// Who has this session; `used` makes it last longer.
pub(super) async fn find(
    app: &App,
    token: &Token,
    used: bool,
) -> Result<Option<Signed>, sqlx::Error> {
    let idle = i32::try_from(app.args.sign_in.session_idle_hours).unwrap_or(i32::MAX);
    let found: Option<Found> = sqlx::query_as(
        "select u.id as user, u.name, t.id as tenant, s.seen_at < now() - interval '1 minute' as stale, t.object_uid
         from sessions s
         join users u on u.id = s.user_id
         join members m on m.user_id = u.id
         join tenants t on t.id = m.tenant_id and t.deleted_at is null
         where s.id_hash = $1 and s.expires_at > now() and s.seen_at > now() - make_interval(hours => $2)
         order by t.created_at limit 1",
    )
    .bind(&token.hash)
    .bind(idle)
    .fetch_optional(&app.db)
    .await?;
    let Some(Found { signed, stale, object_uid }) = found else {
        return Ok(None);
    };
    app.tenants.learn_uid(signed.tenant, object_uid);
    if stale && used {
        sqlx::query("update sessions set seen_at = now() where id_hash = $1")
            .bind(&token.hash)
            .execute(&app.db)
            .await?;
    }
    Ok(Some(signed))
}

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    signed: Signed,
    stale: bool,
    object_uid: Option<String>,
}

/// Ends a session.
pub(super) async fn end(app: &App, token: &Token) -> Result<(), Error> {
    sqlx::query("delete from sessions where id_hash = $1")
        .bind(&token.hash)
        .execute(&app.db)
        .await?;
    Ok(())
}
