//! The statement that finds candidates in a tenant's database.
//!
//! In: the question, ids of documents, the question's vector where there is one. Out: passages that are near in meaning or
//! alike in words, with their places in both lists, and what the question's words are; [`mod@super::rank`] puts the passages in
//! order. The text of the statement is here and nowhere else; only the number of dimensions is written into it, everything else is bound.

use pgvector::Vector;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::tenants::Database;

/// An index over `vector` ends here; above, it is over `halfvec`, and so must be the query.
const MOST_PLAIN: i32 = 2000;
/// Passages that each way of searching contributes: `$3`.
pub const EACH: i64 = 30;

/// A passage that may answer.
#[derive(Clone, Debug, Default, PartialEq, sqlx::FromRow)]
pub struct Candidate {
    /// Its id in the tenant's database.
    pub id: i64,
    /// Its document.
    pub document_id: Uuid,
    /// Its place in the document, from 0.
    pub position: i32,
    /// The page that it begins on; none where the document has none.
    pub page_first: Option<i32>,
    /// The page that it ends on.
    pub page_last: Option<i32>,
    /// Its text.
    pub content: String,
    /// Its place among the nearest in meaning, from 1.
    pub near: Option<i64>,
    /// Its place among those that hold the question's words, from 1.
    pub alike: Option<i64>,
    /// Cosine similarity to the question, up to 1; none without a vector.
    pub similarity: Option<f64>,
    /// How much of the question's words it holds, from 0 to 1, rare words counting more.
    pub coverage: f64,
}

/// What is asked of a tenant's database.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The question, for its words.
    pub words: &'a str,
    /// Its vector, for its meaning.
    pub vector: Option<&'a Vector>,
    /// The documents to search in.
    pub documents: &'a [Uuid],
    /// About how many passages these documents have: what is rare depends on it.
    pub passages: i64,
}

/// What the tenant's database answers.
#[derive(Debug, Default)]
pub struct Answer {
    /// Passages, in no order that means something.
    pub candidates: Vec<Candidate>,
    /// The question's words, without those that tell nothing, each cut to its stem; none where nothing was found.
    pub stems: Vec<String>,
}

/// The stems stand in each row: one statement more would take longer than they weigh.
#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    candidate: Candidate,
    stems: Vec<String>,
}

/// Asks the tenant's database.
///
/// # Errors
/// When it does not answer.
pub async fn candidates(database: &Database, asked: Asked<'_>) -> Result<Answer, sqlx::Error> {
    let text = statement(asked.vector.map(|_| database.dimensions));
    let query = sqlx::query_as(AssertSqlSafe(text))
        .bind(asked.words)
        .bind(asked.documents)
        .bind(EACH)
        .bind(asked.passages);
    let rows: Vec<Row> = match asked.vector {
        Some(vector) => query.bind(vector).fetch_all(&database.pool).await?,
        None => query.fetch_all(&database.pool).await?,
    };
    let mut answer = Answer::default();
    for row in rows {
        answer.candidates.push(row.candidate);
        answer.stems = row.stems;
    }
    Ok(answer)
}

/// The statement, for vectors of so many dimensions or for words alone. $1 the question, $2 ids of documents, $3 [`EACH`],
/// $4 the documents' number of passages, $5 the question's vector.
#[must_use]
pub fn statement(dimensions: Option<i32>) -> String {
    let Some(dimensions) = dimensions else {
        let chosen = "select id, null::bigint as near, place as alike from alike";
        let rest = REST.replace("{chosen}", chosen).replace("{similarity}", "null::float8");
        return format!("with {WORDS}, {ALIKE}, {rest}");
    };
    let distance = distance(dimensions);
    let chosen = "select id, near.place as near, alike.place as alike, distance from near full join alike using (id)";
    // A vector is read once more only where it was not among the nearest.
    let similarity = format!("(1 - coalesce(distance, {distance}))::float8");
    let near = NEAR.replace("{distance}", &distance);
    let rest = REST.replace("{chosen}", chosen).replace("{similarity}", &similarity);
    format!("with {WORDS}, {near}, {ALIKE}, {rest}")
}

/// Exactly the index's expression: with any other, the database would read the whole table.
fn distance(dimensions: i32) -> String {
    if dimensions > MOST_PLAIN {
        format!("embedding::halfvec({dimensions}) <=> $5::halfvec({dimensions})")
    } else {
        "embedding <=> $5".to_owned()
    }
}

/// The question's words, each with its weight: a word that stands in few passages tells more than one that stands in many
/// (inverse document frequency, as in BM25). Words in more than a quarter of all passages do not choose, unless there are no
/// others. Lexemes are quoted one by one, so that no sign of the person's is an operator. A question of stop words alone has
/// none, and matches nothing; of a very long one, 64 words count. Where a word stands is looked up once, for its weight and for
/// what each passage holds.
const WORDS: &str = r"asked as (
    select number, lexeme, ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery as query
    from unnest(tsvector_to_array(to_tsvector('english', $1))) with ordinality as unnested (lexeme, number)
    limit 64
),
hits as materialized (
    select asked.number, embeddings.id
    from asked cross join lateral (
        select id from embeddings where content_tsv @@ asked.query and document_id = any($2) offset 0
    ) as embeddings
),
words as materialized (
    select
        number,
        lexeme,
        query,
        hits > 0 and hits * 4 <= $4::bigint as chooses,
        ln(1 + (greatest($4::bigint - hits, 0) + 0.5) / (hits + 0.5))::float8 as weight
    from (
        select number, lexeme, query, coalesce(hits, 0) as hits
        from asked left join (select number, count(*) as hits from hits group by number) as counted using (number)
    ) as counted
),
question as (
    select
        -- Any of the words may match: a whole question asked for together would match nothing.
        string_agg(query::text, ' | ')::tsquery as query,
        nullif(sum(weight), 0) as weight,
        bool_or(chooses) as has_choosers
    from words
)";

/// By meaning: the nearest vectors, by the index or by reading all, as the planner sees fit ([`crate::tenants::SESSION`]); the index
/// is nearly exact, reading all is exact.
const NEAR: &str = r"near as (
    select id, distance, row_number() over (order by distance, id) as place
    from (
        select id, {distance} as distance
        from embeddings
        where document_id = any($2)
        order by {distance}
        limit $3
    ) as nearest
)";

/// By words: those that hold the most telling of the question's words, close together. A text is only looked into where it is
/// among the best. Sums are rounded, or the order of adding would tell apart what is equal.
const ALIKE: &str = r"held as materialized (
    select id, sum(weight)::float4 as weight, bool_or(chooses) as chosen
    from hits join words using (number)
    group by id
),
alike as (
    select id, row_number() over (order by weight desc, density desc, id) as place
    from (
        select id, best.weight, ts_rank_cd(content_tsv, question.query) as density
        from (
            select held.id, held.weight
            from held, question
            where held.chosen or not question.has_choosers
            order by held.weight desc
            fetch first ($3) rows with ties
        ) as best join embeddings using (id), question
        order by 2 desc, 3 desc, id
        limit $3
    ) as densest
)";

const REST: &str = r"chosen as ({chosen})
select
    id, document_id, position, page_first, page_last, content, near, alike,
    {similarity} as similarity,
    coalesce(held.weight / (select weight from question), 0)::float8 as coverage,
    array(select lexeme from words) as stems
from chosen join embeddings using (id) left join held using (id)
order by near, alike, id";

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
        assert!(!text.contains("near as (") && !text.contains("$5"), "{text}");
        assert!(!statement(Some(384)).contains('{') && !text.contains('{'));
    }
}
