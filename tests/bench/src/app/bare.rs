//! The floor of a search: the app's own statement on one open TLS connection, and nothing around it.
//!
//! In: somebody's database and documents. Out: how long the statement takes for a question. The statement comes from the app;
//! the client library and the session are the floor's own.

use std::error::Error;
use std::time::Instant;

use anyhow::Result;
use app::search::sql::{BEST, EACH, statement};
use bytes::{BufMut as _, BytesMut};
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::copy::vector_bytes;
use super::model::Pieces;
use crate::floor::Session;

/// The type `uuid`, as the protocol numbers it.
const UUID: u32 = 2950;

/// A prepared search.
pub(super) struct Bare {
    session: Session,
    statement: Statement,
    documents: Raw,
    pieces: Pieces,
    dimensions: usize,
}

/// A value that is in the protocol's binary form already.
#[derive(Debug)]
struct Raw(Vec<u8>);

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Bare {
    pub(super) async fn prepare(
        session: Session,
        documents: &[Uuid],
        dimensions: usize,
    ) -> Result<Self> {
        let text = statement(Some(i32::try_from(dimensions)?));
        let statement = session.client().prepare(&text).await?;
        let (documents, pieces) = (array(documents), Pieces::new());
        Ok(Self { session, statement, documents, pieces, dimensions })
    }

    /// Seconds, and how many passages there were.
    pub(super) async fn ask(&self, question: &str) -> Result<(f64, usize)> {
        let vector = Raw(vector_bytes(&self.pieces.vector(question, self.dimensions)));
        let values: [&(dyn ToSql + Sync); 5] = [&question, &self.documents, &EACH, &BEST, &vector];
        let started = Instant::now();
        let rows = self.session.client().query(&self.statement, &values).await?;
        Ok((started.elapsed().as_secs_f64(), rows.len()))
    }

    pub(super) async fn close(self) -> Result<()> {
        drop(self.statement);
        self.session.close().await
    }
}

/// `uuid[]`
fn array(ids: &[Uuid]) -> Raw {
    let length = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let mut bytes = BytesMut::new();
    // Dimensions, nulls, type, length, first index.
    for number in [1, 0, UUID, length, 1] {
        bytes.put_u32(number);
    }
    for id in ids {
        bytes.put_u32(16);
        bytes.put_slice(id.as_bytes());
    }
    Raw(bytes.to_vec())
}
