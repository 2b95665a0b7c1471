//! The first sign-in of a person makes a user and a tenant in one transaction, then declares the database. The end of an
//! account takes the same way back.
//!
//! In: who somebody is. Out: the user's id. Whatever fails between the row and the object is healed by the next sign-in and by
//! the periodic check; nobody waits for a database here.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    error::Error,
    state::App,
    tenants::{self, object_name},
};

/// How long a sign-in waits for the object to be declared; after that the periodic check does it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who somebody is, by the word of an issuer.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) email: Option<String>,
}

/// The person's user; a new one with a tenant where there was none.
pub(super) async fn sign_in(app: &App, person: &Person) -> Result<Uuid, Error> {
    let mut transaction = app.db.begin().await?;
    // Two first sign-ins at the same time meet here: the second waits for the first and finds its user.
    let (user,): (Uuid,) = sqlx::query_as(
        "insert into users (id, issuer, subject, name, email) values ($1, $2, $3, $4, $5)
         on conflict (issuer, subject) do update
         set name = excluded.name, email = excluded.email, signed_in_at = now()
         returning id",
    )
    .bind(Uuid::new_v4())
    .bind(&person.issuer)
    .bind(&person.subject)
    .bind(&person.name)
    .bind(&person.email)
    .fetch_one(&mut *transaction)
    .await?;
    let tenant: Option<(Uuid,)> = sqlx::query_as(
        "select t.id from members m join tenants t on t.id = m.tenant_id and t.deleted_at is null
         where m.user_id = $1 order by t.created_at limit 1",
    )
    .bind(user)
    .fetch_optional(&mut *transaction)
    .await?;
    let tenant = match tenant {
        Some((tenant,)) => tenant,
        None => new_tenant(&mut transaction, user).await?,
    };
    transaction.commit().await?;
    // Not in the transaction: an API server that is slow or away must not hold it open, nor keep anybody from signing in.
    let ensured = tokio::time::timeout(PATIENCE, tenants::ensure(&app.tenants, tenant)).await;
    if let Err(error) = ensured
        .map_err(|late| late.to_string())
        .and_then(|done| done.map_err(|error| error.to_string()))
    {
        tracing::warn!(%tenant, error, "the database is not declared yet; the periodic check will do it");
    }
    Ok(user)
}

async fn new_tenant(
    transaction: &mut sqlx::Transaction<'_, sqlx::Postgres>,
    user: Uuid,
) -> Result<Uuid, sqlx::Error> {
    let tenant = Uuid::new_v4();
    sqlx::query("insert into tenants (id, object_name) values ($1, $2)")
        .bind(tenant)
        .bind(object_name(tenant))
        .execute(&mut **transaction)
        .await?;
    sqlx::query("insert into members (tenant_id, user_id, role) values ($1, $2, 'owner')")
        .bind(tenant)
        .bind(user)
        .execute(&mut **transaction)
        .await?;
    Ok(tenant)
}

/// Deletes an account: the person, their sessions, and every tenant that nobody else is a member of. Object, files and rows of
/// the tenant follow by a job that is put into the same transaction.
///
/// # Errors
/// When the main database does not answer.
pub async fn delete_account(app: &App, user: Uuid) -> Result<(), Error> {
    let mut transaction = app.db.begin().await?;
    // Two members who leave at the same time must not each take the other for the one who stays.
    sqlx::query(
        "select t.id from tenants t join members m on m.tenant_id = t.id where m.user_id = $1 order by t.id for update of t",
    )
    .bind(user)
    .execute(&mut *transaction)
    .await?;
    let alone: Vec<(Uuid,)> = sqlx::query_as(
        "update tenants t set deleted_at = now()
         where deleted_at is null
           and exists (select from members m where m.tenant_id = t.id and m.user_id = $1)
           and not exists (select from members m where m.tenant_id = t.id and m.user_id <> $1)
         returning t.id",
    )
    .bind(user)
    .fetch_all(&mut *transaction)
    .await?;
    for (tenant,) in alone {
        sqlx::query("delete from jobs where tenant_id = $1")
            .bind(tenant)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("insert into jobs (kind, tenant_id) values ('delete_tenant', $1)")
            .bind(tenant)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("delete from users where id = $1").bind(user).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}
