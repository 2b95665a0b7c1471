//! Pages in the states that people meet: empty, busy, failed, full, in many scripts, and with hostile text.

use askama::Template;
use axum::http::StatusCode;
use crds::Reason;

use super::{
    chat::chats,
    panel::{at_work, stalled},
};
use crate::web::*;

/// A title that somebody may try.
pub(super) const HOSTILE: &str =
    "\"><script>alert('x')</script><img src=x onerror=alert(1)> {{ 7 * 7 }}";
pub(super) const LONG: &str = "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselverzeichnis_Fassung_vom_dritten_November_mit_allen_Anlagen_und_einer_sehr_langen_Fortsetzung_ohne_eine_einzige_Leerstelle_bis_zum_Schluss.pdf";

/// A page in a state.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) html: String,
}

/// All of them.
pub(super) fn all() -> Vec<Sample> {
    let mut samples = around();
    samples.extend(lists());
    samples.extend(single());
    samples.extend(searches());
    samples.extend(chats());
    samples.extend(account());
    samples.extend(errors());
    samples.extend(fragments());
    samples
}

pub(super) fn sample(name: &'static str, page: &impl Template) -> Sample {
    Sample { name, html: page.render().unwrap() }
}

pub(super) fn frame(path: &str) -> Frame {
    Frame { signed_in: Some("Ada Lovelace".to_owned()), path: path.to_owned() }
}

fn stranger(path: &str) -> Frame {
    Frame { signed_in: None, path: path.to_owned() }
}

fn around() -> Vec<Sample> {
    let sign_in = SignInPage {
        frame: stranger("/sign-in"),
        oidc_name: Some("Google".to_owned()),
        demo: true,
        return_to: "/search?q=a&b".to_owned(),
        problem: None,
    };
    let demo = SignInPage { oidc_name: None, ..sign_in.clone() };
    let trouble = SignInPage {
        problem: Some("The sign-in was not finished in time. Please try again.".to_owned()),
        demo: false,
        ..sign_in.clone()
    };
    let none = SignInPage { oidc_name: None, demo: false, ..sign_in.clone() };
    vec![
        sample("landing", &LandingPage { frame: stranger("/") }),
        sample("sign-in", &sign_in),
        sample("sign-in-demo", &demo),
        sample("sign-in-problem", &trouble),
        sample("sign-in-none", &none),
    ]
}

fn row(id: &str, title: &str, stage: Stage) -> DocumentRow {
    DocumentRow {
        id: id.to_owned(),
        title: title.to_owned(),
        file_name: format!("{title}.pdf"),
        bytes: 3_565_158,
        pages: Some(311),
        stage,
        created: "2026-11-23T15:11:00Z".to_owned(),
        ..DocumentRow::default()
    }
}

fn limits() -> Limits {
    Limits { max_documents: 3, max_megabytes: 10, max_pages: 500 }
}

fn documents(
    panel: Option<PreparingPanel>,
    documents: Vec<DocumentRow>,
    free: i64,
) -> DocumentsPage {
    let list = DocumentList { documents, free };
    DocumentsPage { frame: frame("/documents"), panel, list, limits: limits() }
}

fn failed() -> DocumentRow {
    DocumentRow {
        pages: Some(12),
        failure_words: Some(
            "There is no text on its pages: they are pictures, as a scanner makes them. Run a text recognition over the file and upload the result."
                .to_owned(),
        ),
        ..row("f", "Scanned invoice, March", Stage::Failed)
    }
}

fn embedding() -> DocumentRow {
    DocumentRow {
        done: 640,
        total: Some(1_824),
        ..row("e", "Annual report 2025", Stage::Embedding)
    }
}

fn scripts() -> Vec<DocumentRow> {
    vec![
        row("1", LONG, Stage::Ready),
        row("2", "تقرير السنة المالية ٢٠٢٥ (النسخة النهائية) v2.pdf", Stage::Ready),
        row("3", "דו״ח שנתי 2025", Stage::Queued),
        row("4", "年次報告書 · 연례 보고서 · 年度报告 · वार्षिक रिपोर्ट", Stage::Ready),
        row("5", "👩🏽‍🚀🚀 Mission 🪐 e\u{301}te\u{301} Z̷a̸l̶g̴o", Stage::Ready),
        row("6", HOSTILE, Stage::Ready),
    ]
}

fn lists() -> Vec<Sample> {
    let preparing =
        at_work([true, false, false], Reason::Migrating, "Tenant migrations are being applied");
    let stopped = stalled(
        [false; 3],
        Reason::NeonLimitReached,
        "The organization has 10 of 10 projects. Raise the plan's limit or delete projects that nobody needs",
    );
    let slow = at_work(
        [false; 3],
        Reason::NeonRateLimited,
        "Neon asks for fewer requests; next attempt in 40 s",
    );
    let panel = |conditions: &[_]| Some(PreparingPanel::from_conditions(conditions));
    let reading = DocumentRow {
        done: 41,
        total: Some(96),
        pages: Some(96),
        ..row("r", "Lease contract", Stage::Reading)
    };
    let busy = vec![
        DocumentRow { pages: None, ..row("u", "Minutes of the board", Stage::Uploading) },
        DocumentRow { pages: None, ..row("q", "Handbook", Stage::Queued) },
        reading,
        embedding(),
    ];
    let full = vec![failed(), embedding(), row("d", "Terms and conditions", Stage::Ready)];
    vec![
        sample("documents-preparing", &documents(panel(&preparing), Vec::new(), 3)),
        sample("documents-stopped", &documents(panel(&stopped), Vec::new(), 3)),
        sample("documents-slow", &documents(panel(&slow), Vec::new(), 3)),
        sample(
            "documents-upgrading",
            &documents(Some(PreparingPanel::upgrading()), vec![failed()], 2),
        ),
        sample("documents-empty", &documents(None, Vec::new(), 3)),
        sample("documents-busy", &documents(None, busy, 1)),
        sample("documents-full", &documents(None, full, 0)),
        sample("documents-scripts", &documents(None, scripts(), 4)),
    ]
}

fn document(name: &'static str, document: DocumentRow, page: u32) -> Sample {
    let path = format!("/documents/{}", document.id);
    sample(name, &DocumentPage { frame: frame(&path), document, page })
}

fn single() -> Vec<Sample> {
    vec![
        document("document", row("d", "Terms and conditions", Stage::Ready), 2),
        document("document-failed", failed(), 1),
        document("document-busy", embedding(), 1),
        document(
            "document-uploading",
            DocumentRow { pages: None, ..row("u", "Minutes", Stage::Uploading) },
            1,
        ),
        document("document-long", row("d", LONG, Stage::Ready), 1),
        document("document-rtl", row("d", "تقرير السنة المالية ٢٠٢٥", Stage::Ready), 1),
        document("document-hostile", row("d", HOSTILE, Stage::Ready), 1),
    ]
}

fn hit(title: &str, pages: (i32, i32), passage: Vec<Piece>) -> Hit {
    Hit {
        document_id: "d".to_owned(),
        title: title.to_owned(),
        page_first: pages.0,
        page_last: pages.1,
        passage,
        score: 0.031_25,
    }
}

fn rent() -> Hit {
    let passage = vec![
        Piece::plain("The "),
        Piece::marked("rent"),
        Piece::plain(" is "),
        Piece::marked("due"),
        Piece::plain(
            " on the third working day of each month and is paid by bank transfer to the account named in annex 2. Payment counts as made on the day on which the amount reaches that account.\nIf the tenant is late by more than ten days, the landlord may ask for interest of five percentage points over the base rate, and for the cost of reminders. ",
        ),
        Piece::marked("Rent"),
        Piece::plain(" for a month that has begun is owed in full."),
    ];
    hit("Lease contract", (12, 12), passage)
}

fn searches() -> Vec<Sample> {
    let documents = vec![
        ("d".to_owned(), "Lease contract".to_owned()),
        ("h".to_owned(), HOSTILE.to_owned()),
        ("l".to_owned(), LONG.to_owned()),
    ];
    let empty = SearchPage {
        frame: frame("/search"),
        query: String::new(),
        document: None,
        documents,
        hits: Vec::new(),
        problem: None,
        searched: false,
    };
    let asked =
        SearchPage { query: "when is the rent due?".to_owned(), searched: true, ..empty.clone() };
    let many = vec![
        rent(),
        hit(
            "Insurance terms",
            (4, 5),
            vec![
                Piece::plain("The first premium is "),
                Piece::marked("due"),
                Piece::plain(" within 14 days."),
            ],
        ),
        hit(
            "تقرير السنة المالية ٢٠٢٥",
            (120, 120),
            vec![
                Piece::plain("بلغ "),
                Piece::marked("الإيجار"),
                Piece::plain(" السنوي ١٢٬٠٠٠ ويستحق في أول كل شهر."),
            ],
        ),
        hit(LONG, (1, 1), vec![Piece::plain(LONG.repeat(2))]),
        hit(HOSTILE, (2, 2), vec![Piece::marked(HOSTILE), Piece::plain(HOSTILE)]),
    ];
    let problem = Some("The embedding model does not answer. Try again in a moment.".to_owned());
    vec![
        sample("search", &empty),
        sample("search-nothing-yet", &SearchPage { documents: Vec::new(), ..empty.clone() }),
        sample("search-none", &asked),
        sample(
            "search-one",
            &SearchPage { hits: vec![rent()], document: Some("d".to_owned()), ..asked.clone() },
        ),
        sample("search-many", &SearchPage { hits: many, ..asked.clone() }),
        sample("search-problem", &SearchPage { problem, ..asked.clone() }),
        sample("search-hostile", &SearchPage { query: HOSTILE.to_owned(), ..asked }),
    ]
}

fn account() -> Vec<Sample> {
    let fact = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    let page = AccountPage {
        frame: frame("/account"),
        name: "Ada Lovelace".to_owned(),
        email: Some("ada@example.com".to_owned()),
        issuer: "https://accounts.google.com".to_owned(),
        created: "2026-11-03T05:07:09Z".to_owned(),
        documents: 2,
        database: vec![
            fact("State", "ready, for vectors of 1536 dimensions"),
            fact("Region", "aws-us-east-1"),
            fact("Project", "late-sun-12345678"),
            fact("Tenant", "2f9c1c1e-6f3e-4a55-9d7e-1f1f7d4a5c11"),
        ],
        problem: None,
    };
    let wrong = AccountPage {
        frame: Frame { signed_in: Some(HOSTILE.to_owned()), path: "/account".to_owned() },
        name: HOSTILE.to_owned(),
        problem: Some("Type the word delete into the box to delete your account.".to_owned()),
        database: Vec::new(),
        ..page.clone()
    };
    vec![sample("account", &page), sample("account-wrong", &wrong)]
}

fn errors() -> Vec<Sample> {
    let error = |name, status, words: &str| {
        sample(name, &ErrorPage::new(stranger("/documents/1"), status, words))
    };
    vec![
        error("error-401", StatusCode::UNAUTHORIZED, "Sign in first."),
        error(
            "error-403",
            StatusCode::FORBIDDEN,
            "This request came from another site, so it was refused.",
        ),
        error(
            "error-404",
            StatusCode::NOT_FOUND,
            "There is nothing here. It may have been deleted, or the link is wrong.",
        ),
        error("error-413", StatusCode::PAYLOAD_TOO_LARGE, "This file is larger than 10 MB."),
        error("error-422", StatusCode::UNPROCESSABLE_ENTITY, "This is not a PDF."),
        error(
            "error-429",
            StatusCode::TOO_MANY_REQUESTS,
            "That was a lot at once. Try again in 12 seconds.",
        ),
        error("error-500", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side."),
        error("error-503", StatusCode::SERVICE_UNAVAILABLE, HOSTILE),
    ]
}

fn fragments() -> Vec<Sample> {
    let list = DocumentList { documents: vec![embedding(), failed()], free: 1 };
    vec![
        sample("fragment-list", &list),
        sample("fragment-panel-missing", &PreparingPanel::missing()),
        sample("fragment-panel-ready", &PreparingPanel::done()),
        sample("fragment-panel-deleting", &PreparingPanel::deleting()),
    ]
}
