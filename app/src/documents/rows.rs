//! Rows of documents, read.
//!
//! In: a tenant, and a document's id. Out: rows of that tenant that are not being deleted, and what people see of them.

use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::web::{DocumentRow, Stage};

/// As many as a page shows.
const MOST: i64 = 1000;

/// A document.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) title: String,
    pub(super) file_name: String,
    pub(super) blob_key: String,
    pub(super) bytes: i64,
    pub(super) sha256: Option<Vec<u8>>,
    pub(super) pages: Option<i32>,
    pub(super) passages: Option<i32>,
    pub(super) stage: String,
    pub(super) done: i32,
    pub(super) total: Option<i32>,
    pub(super) failure_words: Option<String>,
    pub(super) embedding_model: Option<String>,
    pub(super) created: String,
}

/// The columns of [`Row`]. A document that is being deleted is not there any more.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, title, file_name, blob_key, bytes, sha256, pages, passages, stage, done, total, failure_words, \
             embedding_model, to_char(created_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as created \
             from documents where tenant_id = $1 and stage <> 'deleting' ",
            $rest
        )
    };
}

/// All of a tenant's documents, newest first.
pub(super) async fn all(db: &PgPool, tenant: Uuid) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(select!("order by created_at desc, id limit $2"))
        .bind(tenant)
        .bind(MOST)
        .fetch_all(db)
        .await
}

/// One of a tenant's documents; [`sqlx::Error::RowNotFound`] when there is none, or it is another's.
pub(super) async fn one(
    db: impl PgExecutor<'_>,
    tenant: Uuid,
    id: Uuid,
) -> Result<Row, sqlx::Error> {
    sqlx::query_as(select!("and id = $2")).bind(tenant).bind(id).fetch_one(db).await
}

impl Row {
    /// Its stage. One that this version does not know is shown as waiting.
    pub(super) fn stage(&self) -> Stage {
        Stage::from_name(&self.stage).unwrap_or(Stage::Queued)
    }

    /// Whether its vectors are from another model than today's: they cannot be compared with a question's.
    pub(super) fn is_outdated(&self, model: &str) -> bool {
        self.stage() == Stage::Ready && self.embedding_model.as_deref() != Some(model)
    }

    /// The tag of the file's content.
    pub(super) fn tag(&self) -> String {
        use std::fmt::Write as _;
        let hash = self.sha256.as_deref().unwrap_or_default();
        let hex = hash.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("\"{hex}\"")
    }

    /// What people see of it, where `model` is today's.
    pub(super) fn shown(self, model: &str) -> DocumentRow {
        let outdated = self.is_outdated(model);
        let words = "It was read with another embedding model than the one in use now. Try again to read it anew.";
        DocumentRow {
            id: self.id.to_string(),
            stage: if outdated { Stage::Failed } else { self.stage() },
            failure_words: if outdated { Some(words.to_owned()) } else { self.failure_words },
            title: self.title,
            file_name: self.file_name,
            bytes: self.bytes,
            pages: self.pages,
            done: self.done,
            total: self.total,
            created: self.created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web;

    fn row(stage: &str, model: Option<&str>) -> Row {
        Row {
            id: Uuid::nil(),
            title: "t".to_owned(),
            file_name: "t.pdf".to_owned(),
            blob_key: "k".to_owned(),
            bytes: 1,
            sha256: Some(vec![0, 255]),
            pages: None,
            passages: None,
            stage: stage.to_owned(),
            done: 0,
            total: None,
            failure_words: None,
            embedding_model: model.map(ToOwned::to_owned),
            created: String::new(),
        }
    }

    #[test]
    fn vectors_of_another_model_have_to_be_made_anew() {
        assert_eq!(row("ready", Some("now")).shown("now").stage, Stage::Ready);
        let old = row("ready", Some("before")).shown("now");
        assert_eq!(old.stage, Stage::Failed);
        assert!(old.failure_words.unwrap().contains("Try again"));
        assert_eq!(row("queued", None).shown("now").stage, Stage::Queued);
    }

    #[test]
    fn why_a_document_waits_or_failed_is_shown() {
        for (stage, style) in [("queued", "muted"), ("reading", "muted"), ("failed", "failure")] {
            let mut row = row(stage, None);
            row.failure_words = Some("Waiting for your database.".to_owned());
            let list = web::DocumentList { documents: vec![row.shown("now")], free: 0 };
            let shown = format!("<p class=\"{style}\">Waiting for your database.</p>");
            assert!(web::fragment(&list).contains(&shown), "{stage}");
        }
    }

    #[test]
    fn a_tag_is_the_hash_in_quotes() {
        assert_eq!(row("ready", None).tag(), "\"00ff\"");
    }
}
