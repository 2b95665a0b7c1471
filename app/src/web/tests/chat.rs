//! The chat's page in the states that people meet, and what its script relies on.

use std::collections::HashSet;

use super::{
    panel::at_work,
    samples::{HOSTILE, LONG, Sample, all, frame, sample},
    texts_between,
};
use crate::web::*;

/// The shapes that ids have.
const DOCUMENT: &str = "5b1f8f5e-7a55-4f0e-9d7e-1f1f7d4a5c11";

fn conversation(id: &str, title: &str, about: Option<&str>) -> ConversationRow {
    ConversationRow {
        id: id.to_owned(),
        title: title.to_owned(),
        updated: "2026-11-23T15:11:00Z".to_owned(),
        document_title: about.map(str::to_owned),
    }
}

fn document(id: &str, title: &str, ready: bool) -> ChatDocument {
    ChatDocument { id: id.to_owned(), title: title.to_owned(), ready }
}

fn page(chat: ChatHead, conversations: Vec<ConversationRow>) -> ChatPage {
    let documents = vec![
        document(DOCUMENT, "Harbour and hive", true),
        document("6c1f8f5e-7a55-4f0e-9d7e-1f1f7d4a5c12", "Lease contract", true),
        document("7d1f8f5e-7a55-4f0e-9d7e-1f1f7d4a5c13", "Annual report 2025", false),
    ];
    let path = chat.title.as_ref().map_or("/chat".to_owned(), |_| format!("/chat/{}", chat.id));
    ChatPage {
        frame: frame(&path),
        panel: None,
        chat,
        conversations,
        documents,
        longest: 4_000,
        model: Some("smollm2".to_owned()),
    }
}

fn head(title: Option<&str>, document_id: Option<&str>) -> ChatHead {
    ChatHead {
        id: "c1".to_owned(),
        title: title.map(str::to_owned),
        document_id: document_id.map(str::to_owned),
    }
}

/// The chat's pages.
pub(super) fn chats() -> Vec<Sample> {
    let new = page(head(None, None), Vec::new());
    let rows = vec![
        conversation("c1", "Who records vessels that come in at night?", None),
        conversation("c2", "When is the rent due?", Some("Lease contract")),
        conversation("c3", LONG, Some(LONG)),
        conversation("c4", HOSTILE, Some(HOSTILE)),
        conversation("c5", "ما هو الإيجار السنوي؟", Some("تقرير السنة المالية ٢٠٢٥")),
    ];
    let preparing = at_work(
        [true, false, false],
        crds::Reason::Migrating,
        "Tenant migrations are being applied",
    );
    let coming = vec![document(DOCUMENT, "Harbour and hive", false)];
    let hostile = vec![document(HOSTILE, HOSTILE, true)];
    let open = head(Some("Who records vessels that come in at night?"), None);
    let about = head(Some("Who records vessels?"), Some(DOCUMENT));
    vec![
        sample("chat-new", &new),
        sample("chat-new-document", &page(head(None, Some(DOCUMENT)), rows.clone())),
        sample("chat-nothing-yet", &ChatPage { documents: Vec::new(), ..new.clone() }),
        sample("chat-coming", &ChatPage { documents: coming, ..new.clone() }),
        sample(
            "chat-preparing",
            &ChatPage { panel: Some(PreparingPanel::from_conditions(&preparing)), ..new.clone() },
        ),
        sample("chat-no-model", &ChatPage { model: None, ..new }),
        sample("chat-open", &page(open, rows.clone())),
        sample("chat-document", &page(about, rows.clone())),
        sample("chat-deleted-document", &page(head(Some("Old"), Some("gone")), rows.clone())),
        sample(
            "chat-hostile",
            &ChatPage {
                documents: hostile,
                ..page(head(Some(HOSTILE), Some(HOSTILE)), rows.clone())
            },
        ),
    ]
}

fn html(name: &str) -> String {
    all().into_iter().find(|sample| sample.name == name).unwrap().html
}

/// The part of a page that is shown: what stands in templates is not.
fn visible(html: &str) -> String {
    let html = html.split("<template").next().unwrap_or_default();
    html.to_owned()
}

#[test]
fn a_new_conversation_can_choose_and_an_old_one_shows_what_it_is_about() {
    let new = html("chat-new-document");
    assert!(
        new.contains(&format!("<option value=\"{DOCUMENT}\" selected>Harbour and hive</option>"))
    );
    assert!(new.contains(" disabled>Annual report 2025 (not ready yet)</option>"));
    for (name, words) in [
        ("chat-open", "All documents"),
        ("chat-document", "Harbour and hive"),
        ("chat-deleted-document", "A document that was deleted"),
    ] {
        let html = visible(&html(name));
        assert!(!html.contains("id=\"scope\""), "{name}");
        assert!(html.contains(&format!("<bdi>{words}</bdi>")), "{name}");
    }
}

#[test]
fn where_nothing_can_be_asked_the_page_says_what_to_do() {
    for (name, words) in
        [("chat-nothing-yet", "Upload a PDF first."), ("chat-coming", "not ready yet")]
    {
        let html = visible(&html(name));
        assert!(html.contains(words), "{name}");
        assert!(html.contains("class=\"composer\" hidden"), "{name}");
        assert!(!html.contains("data-sample"), "{name}");
    }
    let preparing = html("chat-preparing");
    assert!(preparing.contains("data-ready=\"false\"") && !preparing.contains("id=\"composer\""));
    assert_eq!(visible(&html("chat-new")).matches("data-sample").count(), 3);
}

#[test]
fn without_scripts_the_way_to_search_is_shown() {
    let html = html("chat-open");
    let words = texts_between(&html, "<noscript>", '\u{0}').next().unwrap();
    assert!(words.contains("needs JavaScript") && words.contains("href=\"/search\""));
}

#[test]
fn the_open_conversation_is_marked_in_the_list() {
    let html = visible(&html("chat-open"));
    assert!(html.contains("href=\"/chat/c1\" aria-current=\"page\""));
    assert!(!html.contains("href=\"/chat/c2\" aria-current"));
}

#[test]
fn the_script_finds_every_element_that_it_names() {
    let html = html("chat-new");
    let scripts = [
        include_str!("../../../static/chat.js"),
        include_str!("../../../static/chat/beside.js"),
        include_str!("../../../static/chat/list.js"),
        include_str!("../../../static/chat/messages.js"),
    ];
    let mut names = HashSet::new();
    for script in scripts {
        let ids = texts_between(script, "$(\"#", '"')
            .filter(|name| name.chars().all(|sign| sign.is_ascii_lowercase() || sign == '-'));
        names.extend(ids);
        names.extend(texts_between(script, "copyOf(\"", '"'));
    }
    assert!(names.len() > 15, "{names:?}");
    // The panel is on the page in place of the chat.
    names.remove("panel");
    for name in names {
        assert!(html.contains(&format!(" id=\"{name}\"")), "{name}");
    }
}

#[test]
fn scripts_that_scripts_load_are_there() {
    let imports = include_str!("../../../static/chat.js");
    let mut seen = 0;
    for name in texts_between(imports, "from \"./", '"') {
        assert_ne!(asset(name), "/static/missing", "{name}");
        seen += 1;
    }
    assert!(seen >= 5);
}
