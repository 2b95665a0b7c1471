//! The statement that finds passages in a tenant's database.
//!
//! In: the question, ids of documents, the question's vector where there is one. Out: passages, best first. The text of the
//! statement is here and nowhere else; only the number of dimensions is written into it, everything else is bound.

use pgvector::Vector;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::tenants::Database;

/// An index over `vector` ends here; above, it is over `halfvec`, and so must be the query.
const MOST_PLAIN: i32 = 2000;
/// Passages that each way of searching contributes: `$3`.
pub const EACH: i64 = 30;
/// Passages in all: `$4`.
pub const BEST: i64 = 10;

/// A passage.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Passage {
    pub(super) document_id: Uuid,
    pub(super) page_first: Option<i32>,
    pub(super) page_last: Option<i32>,
    pub(super) content: String,
    /// The words of the content that the question's words match.
    pub(super) matched: Vec<String>,
    pub(super) score: f64,
}

/// Asks the tenant's database.
pub(super) async fn passages(
    database: &Database,
    question: &str,
    ids: &[Uuid],
    vector: Option<&Vector>,
) -> Result<Vec<Passage>, sqlx::Error> {
    let text = statement(vector.map(|_| database.dimensions));
    let pool: &PgPool = &database.pool;
    let query = sqlx::query_as(AssertSqlSafe(text)).bind(question).bind(ids).bind(EACH).bind(BEST);
    match vector {
        Some(vector) => query.bind(vector).fetch_all(pool).await,
        None => query.fetch_all(pool).await,
    }
}

/// The statement, for vectors of so many dimensions or for words alone. $1 the question, $2 ids of documents, $3 [`EACH`],
/// $4 [`BEST`], $5 the question's vector.
#[must_use]
pub fn statement(dimensions: Option<i32>) -> String {
    let (near, both) = match dimensions {
        Some(dimensions) => {
            let distance = distance(dimensions);
            (
                NEAR.replace("{distance}", &distance),
                "select * from near union all select * from alike",
            )
        }
        None => (String::new(), "select * from alike"),
    };
    format!("with {QUESTION}, {near} {ALIKE}, {}", BEST_OF.replace("{both}", both))
}

/// Exactly the index's expression: with any other, the database would read the whole table.
fn distance(dimensions: i32) -> String {
    if dimensions > MOST_PLAIN {
        format!("embedding::halfvec({dimensions}) <=> $5::halfvec({dimensions})")
    } else {
        "embedding <=> $5".to_owned()
    }
}

/// Any of the question's words may match: a whole question asked for together would match nothing. Its lexemes are quoted
/// one by one, so that no sign of the person's is an operator. A question of stop words alone has no lexemes: `words` is null
/// then and matches nothing.
const QUESTION: &str = r"question as (
    select
        array_agg(lexeme) as lexemes,
        string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery as words
    from unnest(tsvector_to_array(to_tsvector('english', $1))) as lexeme
)";

/// By meaning: the nearest vectors, by the index or by reading all, as the planner sees fit. It reckons the reading of long
/// vectors, which are stored out of line, cheaper than it is; the index is nearly exact, reading all is exact.
const NEAR: &str = r"near as (
    select id, row_number() over (order by distance, id) as place
    from (
        select id, {distance} as distance
        from embeddings
        where document_id = any($2)
        order by {distance}
        limit $3
    ) as nearest
),";

/// By words: where the question's words stand often and close together.
const ALIKE: &str = r"alike as (
    select id, row_number() over (order by density desc, id) as place
    from (
        select id, ts_rank_cd(content_tsv, words) as density
        from embeddings, question
        where document_id = any($2) and content_tsv @@ words
        order by density desc, id
        limit $3
    ) as densest
)";

/// Reciprocal rank fusion: what stands high in either list is good, what stands in both is better; 60 keeps a first place in
/// one list from outweighing everything. Of each of the best, the words that match are told as they stand in the text.
const BEST_OF: &str = r"fused as (
    select id, sum(1.0 / (60 + place))::float8 as score
    from ({both}) as ranked
    group by id
    order by score desc, id
    limit $4
)
select
    document_id, page_first, page_last, content, score,
    array(
        select distinct token
        from ts_parse('default', content)
        where ts_lexize('english_stem', token) && (select lexemes from question)
    ) as matched
from fused join embeddings using (id)
order by score desc, id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_index() {
        assert!(statement(Some(384)).contains("order by embedding <=> $5\n"));
        assert!(statement(Some(2000)).contains("order by embedding <=> $5\n"));
        assert!(
            statement(Some(2001))
                .contains("order by embedding::halfvec(2001) <=> $5::halfvec(2001)\n")
        );
    }

    #[test]
    fn without_a_vector_words_are_searched_alone() {
        let text = statement(None);
        assert!(!text.contains("near") && !text.contains("$5"), "{text}");
        assert!(!statement(Some(384)).contains('{') && !text.contains('{'));
    }
}
