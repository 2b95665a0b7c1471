//! The floors of a search: the app's own statement on one open TLS connection, and the barest vector query there is.
//!
//! In: somebody's database and documents. Out: how long either takes for a question. The statement comes from the app; the
//! vector query looks for as many of the nearest as the app does, and for nothing else. The client library and the sessions
//! are the floor's own; whether they have the app's settings is for the caller.

use std::error::Error;
use std::time::Instant;

use anyhow::Result;
use app::search::sql::{EACH, statement};
use bytes::{BufMut as _, BytesMut};
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::copy::{Library, vector_bytes};
use super::model::Pieces;
use crate::floor::Session;

/// The type `uuid`, as the protocol numbers it.
const UUID: u32 = 2950;

/// The nearest vectors, in all documents.
const NEAREST: &str =
    "select id, embedding <=> $1 as distance from embeddings order by embedding <=> $1 limit $2";

/// A prepared search.
pub(super) struct Bare {
    prepared: Prepared,
    documents: Raw,
    passages: i64,
}

/// A prepared vector query.
pub(super) struct Nearest(Prepared);

/// A statement in a session, and what makes a question a vector.
struct Prepared {
    session: Session,
    statement: Statement,
    pieces: Pieces,
    dimensions: usize,
}

impl Prepared {
    async fn new(session: Session, text: &str, dimensions: usize) -> Result<Self> {
        let statement = session.client().prepare(text).await?;
        Ok(Self { session, statement, pieces: Pieces::new(), dimensions })
    }

    fn vector(&self, question: &str) -> Raw {
        Raw(vector_bytes(&self.pieces.vector(question, self.dimensions)))
    }

    /// Seconds, and how many passages there were.
    async fn query(&self, values: &[&(dyn ToSql + Sync)]) -> Result<(f64, usize)> {
        let started = Instant::now();
        let rows = self.session.client().query(&self.statement, values).await?;
        Ok((started.elapsed().as_secs_f64(), rows.len()))
    }

    async fn close(self) -> Result<()> {
        drop(self.statement);
        self.session.close().await
    }
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
    pub(super) async fn prepare(session: Session, library: &Library) -> Result<Self> {
        let Library { documents, passages, dimensions } = library;
        let text = statement(Some(i32::try_from(*dimensions)?));
        Ok(Self {
            prepared: Prepared::new(session, &text, *dimensions).await?,
            documents: array(documents),
            passages: i64::try_from(*passages)?,
        })
    }

    /// The app's statement: seconds, and how many passages there were.
    pub(super) async fn ask(&self, question: &str) -> Result<(f64, usize)> {
        let vector = self.prepared.vector(question);
        let values: [&(dyn ToSql + Sync); 5] =
            [&question, &self.documents, &EACH, &self.passages, &vector];
        self.prepared.query(&values).await
    }

    pub(super) async fn close(self) -> Result<()> {
        self.prepared.close().await
    }
}

impl Nearest {
    pub(super) async fn prepare(session: Session, dimensions: usize) -> Result<Self> {
        Ok(Self(Prepared::new(session, NEAREST, dimensions).await?))
    }

    /// Seconds, and how many passages there were.
    pub(super) async fn ask(&self, question: &str) -> Result<(f64, usize)> {
        self.0.query(&[&self.0.vector(question), &EACH]).await
    }

    pub(super) async fn close(self) -> Result<()> {
        self.0.close().await
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
