//! Passages from all over the documents, for questions about the whole.
//!
//! In: documents, and for how many passages there is room. Out: passages in the order in which they stand: the first of each
//! document, and of as many equal parts as there is room for the one that is nearest to its part's middle. Where all fit, all.

use sqlx::PgPool;
use uuid::Uuid;

use crate::search::sql::Candidate;

/// Only the table's own columns decide; no question is compared.
const SPREAD: &str = r"with places as (
    select id, position, ntile($2) over (order by document_id, position) as part
    from embeddings
    where document_id = any($1)
),
middles as (
    select part, avg(embedding) as middle from places join embeddings using (id) group by part
),
typical as (
    select distinct on (part) id
    from places join embeddings using (id) join middles using (part)
    order by part, embedding <=> middle, places.position
),
chosen as (
    (select id from places where position = 0 order by id limit $3)
    union
    select id from typical
)
select
    id, document_id, position, page_first, page_last, content,
    null::bigint as near, null::bigint as alike, null::float8 as similarity, 0::float8 as coverage
from chosen join embeddings using (id)
order by document_id, position";

pub(super) async fn passages(
    pool: &PgPool,
    documents: &[Uuid],
    room: usize,
) -> sqlx::Result<Vec<Candidate>> {
    let firsts = documents.len().min(room / 3).max(1);
    let parts = room.saturating_sub(firsts).max(1);
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query_as(SPREAD)
        .bind(documents)
        .bind(count(parts))
        .bind(i64::from(count(firsts)))
        .fetch_all(pool)
        .await
}

/// Passages around those that fit best: what a sentence begins in one often ends in the next.
pub(super) async fn neighbours(pool: &PgPool, of: &[Candidate]) -> sqlx::Result<Vec<Candidate>> {
    let ids: Vec<i64> = of.iter().map(|passage| passage.id).collect();
    sqlx::query_as(
        "select other.id, other.document_id, other.position, other.page_first, other.page_last, other.content,
            null::bigint as near, null::bigint as alike, null::float8 as similarity, 0::float8 as coverage
         from unnest($1::bigint[]) with ordinality as chosen (id, place)
         join embeddings as one on one.id = chosen.id
         join embeddings as other on other.document_id = one.document_id
            and other.position in (one.position - 1, one.position + 1)
         order by place, other.position desc",
    )
    .bind(ids)
    .fetch_all(pool)
    .await
}
