//! Passages that no PDF was read for: rows into a tenant's table by COPY, documents into the main database.
//!
//! In: a resident, how many passages. Out: documents that the app takes for searchable. Nothing here is measured.

use anyhow::{Context, Result, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{SinkExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::model::{self, Pieces};
use super::words::Words;
use super::world::{Resident, World};
use crate::floor::Session;

const COLUMNS: &str = "document_id, position, page_first, page_last, content, embedding";
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Passages of one document.
const EACH: usize = 500;
/// As long as the app cuts them.
const CHARACTERS: usize = 900;

/// The index over vectors, taken away and made again by its own definition.
const WITHOUT_INDEX: &str = "create temporary table kept as
    select indexdef from pg_indexes where indexname = 'embeddings_embedding_idx';
    drop index embeddings_embedding_idx";
const WITH_INDEX: &str = "do $$ begin execute (select indexdef from kept); end $$";
/// From so many passages on, the index is built behind the rows: one by one they would take minutes.
const MANY: usize = 10_000;

/// What somebody's database holds.
#[derive(Debug, Clone)]
pub(super) struct Library {
    pub(super) documents: Vec<Uuid>,
    pub(super) passages: usize,
    pub(super) dimensions: usize,
}

/// Fills somebody's database.
pub(super) async fn fill(
    world: &World<'_>,
    resident: &Resident,
    (passages, dimensions): (usize, usize),
) -> Result<Library> {
    let session = world.door(resident).await?.open().await?;
    let pieces = Pieces::new();
    let mut words = Words::new(resident.tenant.as_u64_pair().0);
    let documents: Vec<Uuid> = (0..passages.div_ceil(EACH)).map(|_| Uuid::new_v4()).collect();
    let mut rows = BytesMut::from(HEADER);
    for number in 0..passages {
        let text = words.text(CHARACTERS);
        let page = i32::try_from(number % EACH / 3 + 1)?;
        row(&mut rows, documents[number / EACH], (i32::try_from(number % EACH)?, page), &text);
        value(&mut rows, &vector_bytes(&pieces.vector(&text, dimensions)));
    }
    rows.put_i16(-1);
    // The app's own patience is none for so much.
    session.run("set statement_timeout = 0").await?;
    if passages >= MANY {
        session.run("set maintenance_work_mem = '512MB'").await?;
        session.run(WITHOUT_INDEX).await?;
    }
    ensure!(write(&session, vec![rows.freeze()]).await? == passages as u64, "rows are missing");
    if passages >= MANY {
        session.run(WITH_INDEX).await?;
    }
    // As autovacuum leaves it a minute later, which must not come in the middle of a measurement.
    session.run("select gin_clean_pending_list('embeddings_content_idx')").await?;
    session.run("analyze embeddings").await?;
    session.close().await?;
    for (number, document) in documents.iter().enumerate() {
        let own = EACH.min(passages - number * EACH);
        sqlx::query(
            "insert into documents (id, tenant_id, title, file_name, blob_key, stage, pages, passages, embedding_model)
             values ($1, $2, 'A document', 'a.pdf', $3, 'ready', 167, $5, $4)",
        )
        .bind(document)
        .bind(resident.tenant)
        .bind(format!("none/{document}"))
        .bind(model::name(dimensions))
        .bind(i32::try_from(own)?)
        .execute(&world.db)
        .await?;
    }
    Ok(Library { documents, passages, dimensions })
}

fn row(out: &mut BytesMut, document: Uuid, (position, page): (i32, i32), text: &str) {
    out.put_i16(6);
    value(out, document.as_bytes());
    for number in [position, page, page] {
        value(out, &number.to_be_bytes());
    }
    value(out, text.as_bytes());
}

fn value(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
}

/// As pgvector sends and receives it.
pub(super) fn vector_bytes(vector: &[f32]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    bytes.put_u16(u16::try_from(vector.len()).unwrap_or(u16::MAX));
    bytes.put_u16(0);
    vector.iter().for_each(|number| bytes.put_f32(*number));
    bytes.to_vec()
}

/// Every row of a tenant's table, as COPY gives them.
pub(super) async fn read(session: &Session) -> Result<Vec<Bytes>> {
    let sql =
        format!("copy (select {COLUMNS} from embeddings order by id) to stdout (format binary)");
    let rows: Vec<Bytes> = session.client().copy_out(&sql).await?.try_collect().await?;
    // In pieces of the size that a client would send.
    let mut pieces = vec![BytesMut::new()];
    for row in rows {
        let last = pieces.last_mut().context("there is a piece")?;
        last.extend_from_slice(&row);
        if last.len() > 256 * 1024 {
            pieces.push(BytesMut::new());
        }
    }
    Ok(pieces.into_iter().map(BytesMut::freeze).collect())
}

/// Rows into a tenant's table; answers how many.
pub(super) async fn write(session: &Session, pieces: Vec<Bytes>) -> Result<u64> {
    let sql = format!("copy embeddings ({COLUMNS}) from stdin (format binary)");
    let mut sink = std::pin::pin!(session.client().copy_in(&sql).await?);
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        sink.send(piece).await?;
    }
    Ok(sink.finish().await?)
}
