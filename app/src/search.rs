//! Passages found again: by meaning and by words, fused by rank.
//!
//! In: a question, the tenant, perhaps one document. Out: the best passages with their pages, the words that matched marked,
//! and what the person should know about what was not searched. One statement in the tenant's own database finds all. Without
//! the model, words alone are searched, and the page says so.

mod marks;
mod routes;
pub mod sql;

use std::time::{Duration, Instant};

use pgvector::Vector;
use uuid::Uuid;

use crate::{
    documents::{Readiness, Searchable},
    error::Error,
    models,
    state::App,
    tenants,
    web::Hit,
};

pub use routes::routes;
use sql::Passage;

/// Most characters of a question.
pub const LONGEST: usize = 500;
/// The database had its time to wake up before; a query that takes longer than this is lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Passages, best first.
    pub hits: Vec<Hit>,
    /// What was not searched, or not in full, in words.
    pub problem: Option<String>,
}

/// Searches those of a tenant's documents that can be searched.
///
/// # Errors
/// When the question is empty or too long, or the tenant's database does not answer.
pub async fn find(
    app: &App,
    tenant: Uuid,
    question: &str,
    documents: &[Searchable],
) -> Result<Found, Error> {
    let question = question.trim();
    if !(1..=LONGEST).contains(&question.chars().count()) {
        let words = format!("Ask with 1 to {LONGEST} characters.");
        return Err(Error::invalid("question", words));
    }
    // A zero byte is no text for the database.
    let question = question.replace('\0', " ");
    let mut problems = not_searched(documents);
    let ready = documents.iter().filter(|one| one.state == Readiness::Ready);
    let ids: Vec<Uuid> = ready.map(|one| one.id).collect();
    if ids.is_empty() {
        return Ok(Found { hits: Vec::new(), problem: join(problems) });
    }
    // A database that sleeps wakes up while the model works.
    let (vector, database) = tokio::join!(embed(app, &question), app.tenants.database(tenant));
    let database = database?;
    let vector = match vector {
        Ok(_) if database.dimensions != app.embeddings.dimensions() => {
            problems.push(format!(
                "Your database was made for vectors of {} dimensions and the model in use gives {}: only words were \
                 searched. Tell whoever runs this app.",
                database.dimensions,
                app.embeddings.dimensions()
            ));
            None
        }
        Ok(vector) => Some(vector),
        Err(error) => {
            tracing::warn!(%error, "a search goes on without the model");
            problems.push(
                "The embedding model does not answer, so only words were searched, not their meaning. Try again in a moment."
                    .to_owned(),
            );
            None
        }
    };
    let passages = query(app, tenant, database, &question, &ids, vector).await?;
    let hits = passages.into_iter().filter_map(|passage| hit(documents, passage)).collect();
    Ok(Found { hits, problem: join(problems) })
}

async fn embed(app: &App, question: &str) -> Result<Vector, models::Error> {
    let started = Instant::now();
    let vector = app.embeddings.embed_query(question).await;
    app.metrics.search("embed", started.elapsed());
    vector.map(Vector::from)
}

/// Asks the tenant's database; again where the session ended under us, or the password became another.
async fn query(
    app: &App,
    tenant: Uuid,
    mut database: tenants::Database,
    question: &str,
    ids: &[Uuid],
    vector: Option<Vector>,
) -> Result<Vec<Passage>, Error> {
    let started = Instant::now();
    let passages = loop {
        let asked = sql::passages(&database, question, ids, vector.as_ref());
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(passages)) => break passages,
            Ok(Err(error)) if tenants::is_passing(&error) && started.elapsed() < PATIENCE => {
                database = app.tenants.database(tenant).await?;
            }
            Ok(Err(error @ (sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut))) => {
                return Err(tenants::Error::Unreachable(error.into()).into());
            }
            Ok(Err(error)) => return Err(Error::internal(error)),
            Err(late) => return Err(tenants::Error::Unreachable(late.into()).into()),
        }
    };
    app.metrics.search("query", started.elapsed());
    Ok(passages)
}

/// A passage whose document went away in the meantime is no hit.
fn hit(all: &[Searchable], passage: Passage) -> Option<Hit> {
    let document = all.iter().find(|one| one.id == passage.document_id)?;
    let first = passage.page_first.unwrap_or(1);
    Some(Hit {
        document_id: passage.document_id.to_string(),
        title: document.title.clone(),
        page_first: first,
        page_last: passage.page_last.unwrap_or(first),
        passage: marks::pieces(&passage.content, &passage.matched),
        score: passage.score,
    })
}

/// What the person should know about documents that are left out.
fn not_searched(all: &[Searchable]) -> Vec<String> {
    let count = |state: Readiness| all.iter().filter(|one| one.state == state).count();
    let mut problems = Vec::new();
    if all.is_empty() {
        problems.push("You have no documents yet. Upload one first.".to_owned());
    }
    match count(Readiness::Busy) {
        0 => {}
        1 => problems.push("1 document is still being read and was not searched.".to_owned()),
        many => {
            problems.push(format!("{many} documents are still being read and were not searched."))
        }
    }
    match count(Readiness::Outdated) {
        0 => {}
        1 => problems.push(
            "1 document was read with another embedding model: open it and try it again."
                .to_owned(),
        ),
        many => problems.push(format!(
            "{many} documents were read with another embedding model: open them and try them again."
        )),
    }
    if !all.is_empty() && count(Readiness::Failed) == all.len() {
        problems.push("None of your documents could be read: open them to see why.".to_owned());
    }
    problems
}

fn join(problems: Vec<String>) -> Option<String> {
    (!problems.is_empty()).then(|| problems.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(states: &[Readiness]) -> Vec<Searchable> {
        let one = |state: &Readiness| Searchable {
            id: Uuid::new_v4(),
            title: "t".to_owned(),
            state: *state,
        };
        states.iter().map(one).collect()
    }

    #[test]
    fn what_was_not_searched_is_said() {
        use Readiness::{Busy, Failed, Outdated, Ready};
        let words = |states: &[Readiness]| join(not_searched(&documents(states)));
        assert_eq!(words(&[Ready]), None);
        assert_eq!(words(&[Ready, Failed]), None);
        assert!(words(&[]).unwrap().contains("Upload one"));
        assert!(words(&[Failed]).unwrap().contains("None of your documents"));
        let both = words(&[Ready, Busy, Busy, Outdated]).unwrap();
        assert!(
            both.contains("2 documents are still being read")
                && both.contains("1 document was read"),
            "{both}"
        );
    }

    #[test]
    fn a_hit_opens_at_its_page() {
        let all = documents(&[Readiness::Ready]);
        let passage = |id: Uuid| Passage {
            document_id: id,
            page_first: Some(3),
            page_last: None,
            content: "a plan".to_owned(),
            matched: vec!["plan".to_owned()],
            score: 0.5,
        };
        let found = hit(&all, passage(all[0].id)).unwrap();
        assert_eq!((found.page_first, found.page_last, found.passage.len()), (3, 3, 2));
        assert!(hit(&all, passage(Uuid::new_v4())).is_none(), "its document is gone");
    }
}
