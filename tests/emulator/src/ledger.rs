//! The ground truth: every committed create and delete, every API call, and the optional record file. In: what
//! happened. Out: lists that a test counts orphans and duplicates from. It decides nothing.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::wire;

/// One thing that was committed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) time: String,
    /// create, delete, recover, rename, reset_password, …
    pub(crate) kind: &'static str,
    pub(crate) project_id: String,
    pub(crate) name: String,
    /// The API call that did it; none when a test did it out of band.
    pub(crate) request_id: Option<String>,
}

/// One API call.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    pub(crate) seq: u64,
    pub(crate) time: String,
    pub(crate) request_id: String,
    pub(crate) method: String,
    /// Path beneath `/api/v2`.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// None while the reply is held, or when the client went away first.
    pub(crate) status: Option<u16>,
    pub(crate) millis: i64,
    /// Rules that had a hand in it.
    pub(crate) faults: Vec<u64>,
}

#[derive(Default)]
struct Books {
    entries: Vec<Entry>,
    calls: Vec<Call>,
    record: Option<File>,
}

/// Everything that happened.
pub(crate) struct Ledger(Mutex<Books>);

impl Ledger {
    pub(crate) fn open(record: Option<&Path>) -> std::io::Result<Self> {
        let record = record.map(File::create).transpose()?;
        Ok(Self(Mutex::new(Books { record, ..Books::default() })))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn commit(
        &self,
        kind: &'static str,
        project: (&str, &str),
        request_id: Option<&str>,
    ) {
        let mut books = self.books();
        let seq = books.entries.len() as u64 + 1;
        books.entries.push(Entry {
            seq,
            time: wire::time_millis(crate::app::now()),
            kind,
            project_id: project.0.to_owned(),
            name: project.1.to_owned(),
            request_id: request_id.map(str::to_owned),
        });
    }

    pub(crate) fn entries(&self, since: u64) -> Vec<Entry> {
        self.books().entries.iter().filter(|e| e.seq > since).cloned().collect()
    }

    /// Notes a call at its start; [`Ledger::answer`] completes it.
    pub(crate) fn call(
        &self,
        request_id: &str,
        method: &str,
        path: &str,
        query: Option<&str>,
    ) -> u64 {
        let mut books = self.books();
        let seq = books.calls.len() as u64 + 1;
        books.calls.push(Call {
            seq,
            time: wire::time_millis(crate::app::now()),
            request_id: request_id.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            status: None,
            millis: 0,
            faults: Vec::new(),
        });
        seq
    }

    pub(crate) fn answer(&self, seq: u64, status: u16, millis: i64, faults: &[u64]) {
        if let Some(call) = self.books().calls.get_mut(seq as usize - 1) {
            (call.status, call.millis, call.faults) = (Some(status), millis, faults.to_vec());
        }
    }

    pub(crate) fn calls(&self, since: u64) -> Vec<Call> {
        self.books().calls.iter().filter(|c| c.seq > since).cloned().collect()
    }

    pub(crate) fn recording(&self) -> bool {
        self.books().record.is_some()
    }

    /// Appends one exchange to the record file, whole lines only.
    pub(crate) fn record(&self, exchange: &Value) {
        if let Some(file) = &mut self.books().record
            && let Err(error) = file.write_all(format!("{exchange}\n").as_bytes())
        {
            tracing::error!(%error, "cannot write the record");
        }
    }
}
