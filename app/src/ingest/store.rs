//! Passages and vectors into the tenant's own database, in one transaction.
//!
//! In: passages with their vectors, as they come. Out: a transaction that has replaced the document's passages and only waits
//! for its commit. It goes by binary COPY, because the text of a vector costs more to write and to read than the vector; by one for
//! each batch, because until a COPY has a thousand rows or its end, the server leaves the indexes alone, and what could be done
//! beside the reading would come after it.

use std::time::{Duration, Instant};

use sqlx::{PgPool, Postgres, pool::PoolConnection};
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use super::{
    chunk::Passage,
    trouble::{On, Trouble},
};

/// Another transaction on the same document's passages is waited for so long: it is that of a worker that lost its lease.
/// Between two batches the transaction is idle for as long as the model takes.
const SETTINGS: &str = "set local lock_timeout = '15s'; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";
/// A commit takes no longer: the job's rows in the main database are locked meanwhile, and its lease must not lapse.
const COMMIT: Duration = Duration::from_secs(20);
const COPY: &str = "copy embeddings (document_id, position, page_first, page_last, content, embedding) from stdin (format binary)";
/// Signature, flags, length of the extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a row's number of columns.
const END: i16 = -1;
/// Vectors of more dimensions take longer to store than a page to read. To do both at once would only take two processors from
/// everybody else for longer, so so many rows go together.
const LONG: usize = 1000;
const MANY: usize = 1000;
/// With others, so many: the index grows while the next pages are read, and the round trips of a COPY count little.
const SOME: usize = 128;
/// Columns of a row.
const COLUMNS: i16 = 6;

/// Some passages and their vectors, one for each.
pub struct Batch {
    /// The passages.
    pub passages: Vec<Passage>,
    /// Their vectors.
    pub vectors: Vec<Vec<f32>>,
}

/// Passages that are written, but not yet to be seen.
pub struct Written {
    session: PoolConnection<Postgres>,
    /// How many there are.
    pub passages: u64,
    /// How long writing took, without waiting for what is to be written.
    pub took: Duration,
}

impl Written {
    /// They replace the document's former passages.
    ///
    /// # Errors
    /// When the database does not answer, or not in time; whether it was done is then not known.
    pub async fn commit(mut self) -> Result<Duration, Trouble> {
        let began = Instant::now();
        match timeout(COMMIT, sqlx::query("commit").execute(&mut *self.session)).await {
            Ok(committed) => committed.map(drop).map_err(Trouble::tenant)?,
            Err(late) => return Err(Trouble::waits(On::Database, late)),
        }
        Ok(self.took + began.elapsed())
    }
}

/// Writes all that comes; none where nothing came.
///
/// # Errors
/// When the database does not answer.
pub async fn write(
    pool: &PgPool,
    document: Uuid,
    batches: &mut mpsc::Receiver<Batch>,
) -> Result<Option<Written>, Trouble> {
    // The transaction does not begin before there is something to write.
    let Some(first) = batches.recv().await else {
        return Ok(None);
    };
    copy(pool, document, first, batches).await.map(Some).map_err(Trouble::tenant)
}

async fn copy(
    pool: &PgPool,
    document: Uuid,
    first: Batch,
    batches: &mut mpsc::Receiver<Batch>,
) -> sqlx::Result<Written> {
    let began = Instant::now();
    let mut session = pool.acquire().await?;
    // Whatever interrupts this, the database sees the end of the session and undoes all.
    session.close_on_drop();
    sqlx::query("begin").execute(&mut *session).await?;
    sqlx::raw_sql(SETTINGS).execute(&mut *session).await?;
    sqlx::query("delete from embeddings where document_id = $1")
        .bind(document)
        .execute(&mut *session)
        .await?;
    let mut took = began.elapsed();
    let (mut passages, mut next) = (0, Some(first));
    while let Some(first) = next {
        let bytes = gather(document, first, batches).await;
        let began = Instant::now();
        let mut copy = session.copy_in_raw(COPY).await?;
        copy.send(bytes).await?;
        passages += copy.finish().await?;
        took += began.elapsed();
        next = batches.recv().await;
    }
    Ok(Written { session, passages, took })
}

/// What one COPY sends: batches that came while the one before was stored, and until there are enough.
async fn gather(document: Uuid, first: Batch, batches: &mut mpsc::Receiver<Batch>) -> Vec<u8> {
    let is_long = first.vectors.first().is_some_and(|vector| vector.len() > LONG);
    let least = if is_long { MANY } else { SOME };
    let (mut bytes, mut rows, mut next) = (HEADER.to_vec(), 0, Some(first));
    while let Some(batch) = next {
        rows += batch.passages.len();
        for (passage, vector) in batch.passages.iter().zip(&batch.vectors) {
            encode(document, passage, vector, &mut bytes);
        }
        next = if rows < least { batches.recv().await } else { batches.try_recv().ok() };
    }
    bytes.extend(END.to_be_bytes());
    bytes
}

/// A row in the format of binary COPY.
fn encode(document: Uuid, passage: &Passage, vector: &[f32], out: &mut Vec<u8>) {
    out.extend(COLUMNS.to_be_bytes());
    value(out, |out| out.extend(document.as_bytes()));
    for number in [passage.position, passage.page_first, passage.page_last] {
        value(out, |out| out.extend(number.to_be_bytes()));
    }
    value(out, |out| out.extend(passage.text.as_bytes()));
    value(out, |out| {
        // Number of dimensions, and two bytes that pgvector keeps for later.
        out.extend(i16::try_from(vector.len()).unwrap_or(i16::MAX).to_be_bytes());
        out.extend([0, 0]);
        vector.iter().for_each(|number| out.extend(number.to_be_bytes()));
    });
}

/// A value after its length.
fn value(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0; 4]);
    write(out);
    let length = i32::try_from(out.len() - at - 4).unwrap_or(i32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_format_of_binary_copy() {
        let passage = Passage { position: 1, page_first: 2, page_last: 3, text: "hi".to_owned() };
        let mut out = Vec::new();
        encode(Uuid::from_u128(7), &passage, &[1.0, -2.0], &mut out);
        let mut expected = vec![0, 6, 0, 0, 0, 16];
        expected.extend(Uuid::from_u128(7).as_bytes());
        expected.extend([0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3]);
        expected.extend([0, 0, 0, 2, b'h', b'i']);
        expected.extend([0, 0, 0, 12, 0, 2, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]);
        assert_eq!(out, expected);
        assert_eq!(HEADER.len(), 19);
    }
}
