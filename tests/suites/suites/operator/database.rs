//! The tenant's database: its table, its indexes, and that the planner uses them at every size of embedding.
//!
//! In: tenants of 384, 2,000, 2,001 and 4,000 dimensions with rows in them. Out: what Postgres says.

use acceptance::{Binding, TestOperator};
use anyhow::{Result, ensure};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

/// Two thousand rows are enough for the planner to prefer the index by itself; two hundred different embeddings among
/// them keep the filling quick.
const DIFFERENT: usize = 200;
const EACH: usize = 10;

async fn text(session: &mut PgConnection, sql: String) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(session).await?;
    Ok(rows.into_iter().map(|(line,)| line).collect())
}

/// The nearest passages, by the expression that the index is over.
fn nearest(dimensions: usize) -> String {
    let kind = if dimensions > 2000 { "halfvec" } else { "vector" };
    let cast = |what: &str| format!("{what}::{kind}({dimensions})");
    let column = if dimensions > 2000 { cast("embedding") } else { "embedding".to_owned() };
    let wanted = cast(&format!("array_fill(0.5::real, array[{dimensions}])"));
    format!("select id from embeddings order by {column} <=> {wanted} limit 5")
}

async fn fill(session: &mut PgConnection, dimensions: usize) -> Result<()> {
    let sql = format!(
        "with sample as materialized (
             select (select array_agg(random() + (n + d) * 0)::real[]::vector({dimensions})
                       from generate_series(1, {dimensions}) as d) as embedding
               from generate_series(1, {DIFFERENT}) as n)
         insert into embeddings (document_id, position, page_first, page_last, content, embedding)
         select gen_random_uuid(), n, 1, 2, 'passage ' || n, embedding
           from sample, generate_series(1, {EACH}) as n"
    );
    session.execute(AssertSqlSafe(sql)).await?;
    session.execute("analyze embeddings").await?;
    Ok(())
}

async fn index_is_used(binding: &Binding, dimensions: usize) -> Result<()> {
    let mut session = binding.connect().await?;
    fill(&mut session, dimensions).await?;
    let query = nearest(dimensions);
    let plan = text(&mut session, format!("explain (costs off) {query}")).await?.join("\n");
    let wanted = "Index Scan using embeddings_embedding_idx";
    ensure!(plan.contains(wanted), "{dimensions} dimensions: {plan}");
    let (found,): (i64,) =
        sqlx::query_as(AssertSqlSafe(format!("select count(*) from ({query}) as found")))
            .fetch_one(&mut session)
            .await?;
    assert_eq!(found, 5);
    Ok(())
}

#[tokio::test]
async fn the_vector_index_is_used_at_every_size() -> Result<()> {
    let t = TestOperator::start("dimensions").await?;
    for dimensions in [384, 2000, 2001, 4000] {
        let spec = json!({"vector": {"dimensions": dimensions}});
        t.apply(&format!("d{dimensions}"), spec).await?;
    }
    for dimensions in [384, 2000, 2001, 4000] {
        let name = format!("d{dimensions}");
        t.wait_ready(&name).await?;
        index_is_used(&t.binding(&name).await?, dimensions).await?;
    }
    Ok(())
}

#[tokio::test]
async fn table_and_indexes_are_as_promised() -> Result<()> {
    let t = TestOperator::start("schema").await?;
    t.apply("acme", json!({"vector": {"dimensions": 384}})).await?;
    t.wait_ready("acme").await?;
    let mut session = t.binding("acme").await?.connect().await?;
    let columns = "select a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                        || case when a.attnotnull then ' not null' else '' end
                     from pg_attribute as a
                    where a.attrelid = 'embeddings'::regclass and a.attnum > 0 and not a.attisdropped
                    order by a.attname";
    assert_eq!(
        text(&mut session, columns.to_owned()).await?,
        [
            "content text not null",
            "content_tsv tsvector",
            "created_at timestamp with time zone not null",
            "document_id uuid not null",
            "embedding vector(384) not null",
            "id bigint not null",
            "metadata jsonb not null",
            "page_first integer",
            "page_last integer",
            "position integer not null",
            "updated_at timestamp with time zone not null",
        ]
    );
    let indexes =
        "select indexdef from pg_indexes where tablename = 'embeddings' order by indexname";
    let indexes = text(&mut session, indexes.to_owned()).await?;
    for wanted in [
        "USING gin (content_tsv)",
        "UNIQUE INDEX embeddings_document_position_idx ON public.embeddings USING btree (document_id, \"position\")",
        "USING hnsw (embedding vector_cosine_ops)",
        "UNIQUE INDEX embeddings_pkey ON public.embeddings USING btree (id)",
    ] {
        ensure!(indexes.iter().any(|index| index.contains(wanted)), "{wanted}: {indexes:#?}");
    }
    let generated = "select generation_expression from information_schema.columns
                      where table_name = 'embeddings' and column_name = 'content_tsv'";
    let generated = text(&mut session, generated.to_owned()).await?;
    assert_eq!(generated, ["to_tsvector('english'::regconfig, content)"]);
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() -> Result<()> {
    let t = TestOperator::start("refused-rows").await?;
    t.apply("acme", json!({"vector": {"dimensions": 3}})).await?;
    t.wait_ready("acme").await?;
    let mut session = t.binding("acme").await?.connect().await?;
    let insert = |position: &str, pages: &str, embedding: &str| {
        format!(
            "insert into embeddings (document_id, position, page_first, page_last, content, embedding)
             values ('00000000-0000-4000-8000-000000000000', {position}, {pages}, 'text', '{embedding}')"
        )
    };
    session.execute(AssertSqlSafe(insert("0", "1, 2", "[1,2,3]"))).await?;
    for (row, code) in [
        (insert("0", "3, 3", "[1,2,3]"), "23505"), // the same passage twice
        (insert("-1", "1, 2", "[1,2,3]"), "23514"),
        (insert("1", "2, 1", "[1,2,3]"), "23514"),
        (insert("1", "0, 1", "[1,2,3]"), "23514"),
        (insert("1", "1, 2", "[1,2]"), "22000"), // another number of dimensions
    ] {
        let error = session.execute(AssertSqlSafe(row.clone())).await.err();
        let found = error.as_ref().and_then(|e| e.as_database_error()?.code());
        assert_eq!(found.as_deref(), Some(code), "{row}: {error:?}");
    }
    session.execute(AssertSqlSafe(insert("1", "null, null", "[3,2,1]"))).await?;
    let found =
        "select content from embeddings where content_tsv @@ plainto_tsquery('english', 'texts')";
    assert_eq!(text(&mut session, found.to_owned()).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn every_version_of_postgres_that_may_be_asked_for_is_asked_for() -> Result<()> {
    let t = TestOperator::start("versions").await?;
    for version in 14..=18 {
        let spec = json!({"postgresVersion": version, "vector": {"dimensions": 8}});
        t.apply(&format!("pg{version}"), spec).await?;
    }
    for tenant in t.wait_all_ready(5).await? {
        let project = t.neon.project(&acceptance::project_id(&tenant)?).await?;
        assert_eq!(project["project"]["pg_version"], tenant.spec.postgres_version);
    }
    Ok(())
}
