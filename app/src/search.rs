//! Passages found again: by meaning and by words, fused by rank.
//!
//! In: a question, the tenant, the documents to search in. Out: the passages that may answer, best first, and what the person
//! should know about what was not searched. One statement in the tenant's own database finds all. Without the model, words
//! alone are searched, and the person is told so. The search page and the chat both ask here.

mod marks;
pub mod rank;
mod routes;
pub mod sql;

use std::time::Instant;

use pgvector::Vector;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::{
    documents::{Readiness, Searchable},
    error::Error,
    models,
    state::App,
    tenants::Database,
    web::Hit,
};

use marks::Marks;
use rank::{Ranked, rank};
pub use routes::routes;
use sql::Asked;

/// Most characters of a question.
pub const LONGEST: usize = 500;
/// Passages that the search page shows.
const SHOWN: usize = 10;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Passages, best first.
    pub hits: Vec<Hit>,
    /// What was not searched, or not in full, in words.
    pub problem: Option<String>,
}

/// Passages that may answer a question.
#[derive(Debug, Default)]
pub struct Passages {
    /// Best first.
    pub ranked: Vec<Ranked>,
    /// The question's words, each cut to its stem.
    pub stems: Vec<String>,
    /// What was not searched, or not in full.
    pub problems: Vec<String>,
}

/// Whether the search page takes a question.
///
/// # Errors
/// When it is empty or too long.
pub fn check(question: &str) -> Result<(), Error> {
    if (1..=LONGEST).contains(&question.chars().count()) {
        return Ok(());
    }
    Err(Error::invalid("question", format!("Ask with 1 to {LONGEST} characters.")))
}

/// Finds what the search page shows.
///
/// # Errors
/// When the tenant's database does not answer.
pub async fn find(
    app: &App,
    tenant: Uuid,
    question: (&str, Meaning),
    documents: &[Searchable],
) -> Result<Found, Error> {
    let found = passages(app, tenant, question, documents).await?;
    let best = &found.ranked[..found.ranked.len().min(SHOWN)];
    let marks = Marks::new(found.stems);
    let hits = best.iter().filter_map(|one| hit(documents, one, &marks)).collect();
    Ok(Found { hits, problem: join(found.problems) })
}

/// A question's vector, on its way.
pub struct Meaning(AbortOnDropHandle<Result<Vector, models::Error>>);

/// Asks the model for a question's vector; whoever asks does something else meanwhile.
#[must_use]
pub fn meaning(app: &App, question: &str) -> Meaning {
    let (embeddings, metrics, question) =
        (app.embeddings.clone(), app.metrics.clone(), plain(question));
    Meaning(AbortOnDropHandle::new(tokio::spawn(async move {
        let started = Instant::now();
        let vector = embeddings.embed_query(&question).await;
        metrics.search("embed", started.elapsed());
        vector.map(Vector::from)
    })))
}

/// Finds the passages that may answer, in those documents that can be searched.
///
/// # Errors
/// When the tenant's database does not answer.
pub async fn passages(
    app: &App,
    tenant: Uuid,
    (words, meaning): (&str, Meaning),
    documents: &[Searchable],
) -> Result<Passages, Error> {
    let mut problems = not_searched(documents);
    let ready = documents.iter().filter(|one| one.state == Readiness::Ready);
    let ids: Vec<Uuid> = ready.map(|one| one.id).collect();
    if ids.is_empty() {
        return Ok(Passages { problems, ..Passages::default() });
    }
    let words = plain(words);
    // A database that sleeps wakes up while the model works.
    let (vector, database) = tokio::join!(meaning.0, app.tenants.database(tenant));
    let database = database?;
    let vector = vector.map_err(Error::internal)?;
    let vector = usable(app, &database, vector).map_err(|words| problems.push(words)).ok();
    let passages = documents.iter().map(|one| i64::from(one.passages)).sum();
    let asking = |database: Database| {
        let (words, vector, documents) = (words.as_str(), vector.as_ref(), ids.as_slice());
        async move { sql::candidates(&database, Asked { words, vector, documents, passages }).await }
    };
    let started = Instant::now();
    let answer = app.tenants.ask_through(tenant, database, asking).await?;
    app.metrics.search("query", started.elapsed());
    Ok(Passages { ranked: rank(answer.candidates), stems: answer.stems, problems })
}

/// A zero byte is no text for the database.
fn plain(text: &str) -> String {
    text.replace('\0', " ")
}

/// The vector, or why words alone are searched.
fn usable(
    app: &App,
    database: &Database,
    vector: Result<Vector, models::Error>,
) -> Result<Vector, String> {
    let given = app.embeddings.dimensions();
    match vector {
        Ok(_) if database.dimensions != given => Err(format!(
            "Your database was made for vectors of {} dimensions and the model in use gives {given}: only words were \
             searched. Tell whoever runs this app.",
            database.dimensions
        )),
        Ok(vector) => Ok(vector),
        Err(error) => {
            tracing::warn!(%error, "a search goes on without the model");
            Err("The embedding model does not answer, so only words were searched, not their meaning. Try again in a moment."
                .to_owned())
        }
    }
}

/// A passage whose document went away in the meantime is no hit.
fn hit(all: &[Searchable], ranked: &Ranked, marks: &Marks) -> Option<Hit> {
    let passage = &ranked.passage;
    let document = all.iter().find(|one| one.id == passage.document_id)?;
    let first = passage.page_first.unwrap_or(1);
    Some(Hit {
        document_id: passage.document_id.to_string(),
        title: document.title.clone(),
        page_first: first,
        page_last: passage.page_last.unwrap_or(first),
        passage: marks.pieces(&passage.content),
        score: ranked.score,
    })
}

/// What the person should know about documents that are left out.
#[must_use]
pub fn not_searched(all: &[Searchable]) -> Vec<String> {
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
            file_name: "t.pdf".to_owned(),
            state: *state,
            passages: 1,
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
        let ranked = |id: Uuid| Ranked {
            passage: sql::Candidate {
                document_id: id,
                page_first: Some(3),
                content: "a plan".to_owned(),
                ..sql::Candidate::default()
            },
            score: 0.5,
        };
        let marks = Marks::new(vec!["plan".to_owned()]);
        let found = hit(&all, &ranked(all[0].id), &marks).unwrap();
        assert_eq!((found.page_first, found.page_last, found.passage.len()), (3, 3, 2));
        assert!(hit(&all, &ranked(Uuid::new_v4()), &marks).is_none(), "its document is gone");
    }
}
