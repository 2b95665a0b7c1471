//! Why a document cannot become searchable, in a name for machines and in words for its owner.
//!
//! In: what went wrong for good. Out: a code from a fixed set, and one or two sentences that say what to do. Nothing of the
//! document and nothing of the servers is in them.

/// A document failed, and trying again by itself will not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.code())]
pub enum Failure {
    /// It is no PDF.
    NotPdf,
    /// It opens only with a password.
    Encrypted,
    /// Its structure cannot be read.
    Damaged,
    /// It has no pages.
    Empty,
    /// It has pages, but hardly a letter on any of them: most likely a scan.
    NoText,
    /// It has more pages than allowed.
    TooManyPages {
        /// How many are allowed.
        limit: u32,
    },
    /// Reading it took more memory or time than allowed.
    TooComplex,
    /// The tenant's vectors are from another kind of model.
    ModelMismatch {
        /// Dimensions of the tenant's vectors.
        stored: i32,
        /// Dimensions that the model gives.
        given: i32,
    },
    /// The model does not take the request, and would not take it another time.
    ModelRefused,
    /// The model did not answer, however often it was asked.
    ModelUnavailable,
    /// The tenant's database did not answer, however often it was asked.
    DatabaseUnavailable,
    /// The tenant's database is being removed.
    DatabaseGone,
    /// The file store did not answer, however often it was asked.
    FilesUnavailable,
    /// The file is not where it was put.
    FileMissing,
    /// The work was begun several times and never came to an end.
    Interrupted,
    /// Its owner stopped it.
    Cancelled,
}

impl Failure {
    /// Every code.
    pub const CODES: [&str; 16] = [
        "not_pdf",
        "encrypted",
        "damaged",
        "empty",
        "no_text",
        "too_many_pages",
        "too_complex",
        "model_mismatch",
        "model_refused",
        "model_unavailable",
        "database_unavailable",
        "database_gone",
        "files_unavailable",
        "file_missing",
        "interrupted",
        "cancelled",
    ];

    /// A name from a fixed set.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotPdf => "not_pdf",
            Self::Encrypted => "encrypted",
            Self::Damaged => "damaged",
            Self::Empty => "empty",
            Self::NoText => "no_text",
            Self::TooManyPages { limit: _ } => "too_many_pages",
            Self::TooComplex => "too_complex",
            Self::ModelMismatch { stored: _, given: _ } => "model_mismatch",
            Self::ModelRefused => "model_refused",
            Self::ModelUnavailable => "model_unavailable",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::DatabaseGone => "database_gone",
            Self::FilesUnavailable => "files_unavailable",
            Self::FileMissing => "file_missing",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        }
    }

    /// What the owner of the document reads.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NotPdf => "This file is not a PDF. Save it as PDF and upload that.",
            Self::Encrypted => {
                "This PDF is locked with a password. Save a copy without one and upload that."
            }
            Self::Damaged => {
                "This PDF is damaged and cannot be read. Open it in a PDF viewer, save or print it as a new PDF, and \
                 upload that."
            }
            Self::Empty => "This PDF has no pages. Check the file and upload it again.",
            Self::NoText => {
                "This PDF has no text: its pages are empty, or pictures as a scanner makes them. Run text recognition (OCR) \
                 over it and upload the result."
            }
            Self::TooManyPages { limit } => {
                return format!(
                    "This PDF has more than {limit} pages, which is the most that fits. Split it and upload the parts."
                );
            }
            Self::TooComplex => {
                "This PDF needs too much memory or time to read. Print it to a new PDF, or split it, and upload that."
            }
            Self::ModelMismatch { stored, given } => {
                return format!(
                    "This database holds vectors of {stored} dimensions, but the embedding model gives {given}. \
                     Whoever runs this app must set a model with {stored} dimensions; then try again."
                );
            }
            Self::ModelRefused => {
                "The embedding model does not accept this document. Whoever runs this app finds the reason in its \
                 log; then try again."
            }
            Self::ModelUnavailable => "The embedding model did not answer for several minutes. Try again later.",
            Self::DatabaseUnavailable => "Your database did not answer for several minutes. Try again later.",
            Self::DatabaseGone => "Your database is gone. Tell whoever runs this app.",
            Self::FilesUnavailable => "The file store did not answer for several minutes. Try again later.",
            Self::FileMissing => "The file is not in the store any more. Delete this document and upload it again.",
            Self::Interrupted => {
                "Work on this document was interrupted several times. Try again; if it stays, print it to a new PDF \
                 and upload that."
            }
            Self::Cancelled => "You stopped this. Try again whenever you like.",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_to_do() {
        let all = [
            Failure::NotPdf,
            Failure::Encrypted,
            Failure::Damaged,
            Failure::Empty,
            Failure::NoText,
            Failure::TooManyPages { limit: 500 },
            Failure::TooComplex,
            Failure::ModelMismatch { stored: 384, given: 1536 },
            Failure::ModelRefused,
            Failure::ModelUnavailable,
            Failure::DatabaseUnavailable,
            Failure::DatabaseGone,
            Failure::FilesUnavailable,
            Failure::FileMissing,
            Failure::Interrupted,
            Failure::Cancelled,
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(Failure::code).collect();
        assert_eq!(codes.len(), all.len());
        assert_eq!(codes, Failure::CODES.into());
        for failure in all {
            let words = failure.words();
            assert!(words.ends_with('.') && words.matches(". ").count() >= 1, "{words}");
            assert!(!words.contains("  ") && words.len() < 250, "{words}");
        }
        assert!(Failure::TooManyPages { limit: 7 }.words().contains("7 pages"));
        let mismatch = Failure::ModelMismatch { stored: 384, given: 1536 }.words();
        assert!(mismatch.contains("384") && mismatch.contains("1536"));
    }
}
