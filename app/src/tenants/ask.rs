//! Questions to a tenant's own database, asked again where that can help.
//!
//! In: what to ask. Out: the answer, or the error that a request ends with. The session may end under us, or the password become
//! another, between the check and the use; whatever is asked here may therefore be asked twice.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Database, Error, Tenants, is_passing};
use crate::error;

/// The database had its time to wake up before; a question that takes longer than this is lost.
const PATIENCE: Duration = Duration::from_secs(20);

impl Tenants {
    /// Asks a tenant's database.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask<T, A>(
        &self,
        tenant: Uuid,
        ask: impl Fn(Database) -> A,
    ) -> Result<T, error::Error>
    where
        A: Future<Output = sqlx::Result<T>>,
    {
        let database = self.database(tenant).await?;
        self.ask_through(tenant, database, ask).await
    }

    /// The same, where the way in is known already.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask_through<T, A>(
        &self,
        tenant: Uuid,
        mut database: Database,
        ask: impl Fn(Database) -> A,
    ) -> Result<T, error::Error>
    where
        A: Future<Output = sqlx::Result<T>>,
    {
        let started = Instant::now();
        loop {
            match tokio::time::timeout(PATIENCE, ask(database)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if is_passing(&error) && started.elapsed() < PATIENCE => {
                    database = self.database(tenant).await?;
                }
                Ok(Err(error @ (sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut))) => {
                    return Err(Error::Unreachable(error.into()).into());
                }
                Ok(Err(sqlx::Error::RowNotFound)) => return Err(error::Error::NotFound),
                Ok(Err(error)) => return Err(error::Error::internal(error)),
                Err(late) => return Err(Error::Unreachable(late.into()).into()),
            }
        }
    }
}
