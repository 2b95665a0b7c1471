//! Every page in many states: it renders, holds nothing inline, escapes what people wrote, and is written to
//! `target/pages` to be looked at (`/static` beside it).

mod chat;
mod panel;
mod samples;

use std::{collections::HashSet, fs, path::PathBuf};

use axum::body::to_bytes;

use super::*;
use samples::{HOSTILE, Sample, all};

fn texts_between<'a>(html: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    html.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

#[test]
fn no_page_holds_a_script_or_a_style() {
    for Sample { name, html } in all() {
        for tag in texts_between(&html, "<", '>') {
            // What stands between quotes is a value: the names of attributes are what remains.
            let names: String = tag.split('"').step_by(2).collect();
            assert!(!names.contains(" style=") && !names.contains(" on"), "{name}: <{tag}>");
            assert!(
                !names.starts_with("style") && !tag.contains("\"javascript:"),
                "{name}: <{tag}>"
            );
            assert!(
                !names.starts_with("script") || tag.contains(" src=\"/static/"),
                "{name}: <{tag}>"
            );
        }
    }
}

#[test]
fn what_people_wrote_stays_text() {
    let mut seen = 0;
    for Sample { name, html } in all() {
        assert!(!html.contains("<script>alert"), "{name}");
        assert!(!html.contains("<img src=x"), "{name}");
        assert!(!html.contains(HOSTILE), "{name}");
        seen += usize::from(html.contains("&#60;script&#62;alert"));
    }
    assert!(seen >= 5, "hostile samples are shown on {seen} pages only");
}

#[test]
fn every_file_that_a_page_names_is_there() {
    for Sample { name, html } in all() {
        assert!(!html.contains("/static/missing"), "{name}");
    }
}

#[test]
fn ids_are_there_once_and_labels_have_a_field() {
    for Sample { name, html } in all() {
        let ids: Vec<_> = texts_between(&html, " id=\"", '"').collect();
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len(), "{name}: {ids:?}");
        for target in texts_between(&html, " for=\"", '"') {
            assert!(distinct.contains(&target), "{name}: no field {target}");
        }
    }
}

#[test]
fn whole_pages_have_their_landmarks_and_a_title() {
    for Sample { name, html } in all() {
        if !html.starts_with("<!doctype html>") {
            continue;
        }
        for part in
            ["<html lang=\"en\">", "<main id=\"main\"", "href=\"#main\"", "<header", "<footer"]
        {
            assert_eq!(html.matches(part).count(), 1, "{name}: {part}");
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name}: h1");
        assert!(html.contains(" · Tenantry</title>"), "{name}");
    }
}

#[test]
fn the_upload_box_is_closed_while_the_database_is_made_and_when_all_places_are_taken() {
    let html = |name: &str| all().into_iter().find(|sample| sample.name == name).unwrap().html;
    let closed = "<fieldset disabled>";
    assert!(html("documents-preparing").contains(closed));
    assert!(html("documents-full").contains(closed));
    assert!(!html("documents-busy").contains(closed));
    assert!(html("documents-empty").contains("data-free=\"3\""));
}

#[test]
fn the_words_of_a_stage_say_how_far_it_is() {
    let row = |stage, done, total| DocumentRow { stage, done, total, ..DocumentRow::default() };
    let expected = [
        (row(Stage::Uploading, 0, None), "Uploading"),
        (row(Stage::Queued, 0, None), "Waiting for its turn"),
        (row(Stage::Reading, 0, None), "Reading its pages"),
        (row(Stage::Reading, 7, Some(1_200)), "Reading its pages: 7 of 1,200"),
        (row(Stage::Embedding, 90, Some(80)), "Making it searchable: 80 of 80 passages"),
        (row(Stage::Embedding, 0, Some(0)), "Making it searchable"),
        (row(Stage::Ready, 3, Some(3)), "Searchable"),
        (row(Stage::Failed, 3, Some(9)), "Not searchable"),
    ];
    for (row, words) in expected {
        assert_eq!(row.stage_words(), words);
    }
}

#[test]
fn stages_are_found_by_the_name_that_the_database_knows() {
    for stage in Stage::ALL {
        assert_eq!(Stage::from_name(stage.name()), Some(stage));
    }
    assert_eq!(Stage::from_name("deleting"), None);
}

#[test]
fn the_place_in_the_navigation_is_marked() {
    let at = |path: &str, root| Frame { signed_in: None, path: path.to_owned() }.at(root);
    assert!(at("/documents", "/documents"));
    assert!(at("/documents/1?page=2", "/documents"));
    assert!(!at("/documentsx", "/documents"));
    assert!(!at("/search", "/documents"));
}

#[tokio::test]
async fn pages_are_html_and_are_kept_by_nobody() {
    let page = ErrorPage::new(Frame::default(), StatusCode::NOT_FOUND, "Gone.");
    let response = super::page(StatusCode::NOT_FOUND, &page);
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert!(String::from_utf8(body.to_vec()).unwrap().contains("Gone."));
}

#[test]
fn an_error_page_leads_on() {
    let button = |status, path: &str| {
        let frame = Frame { signed_in: None, path: path.to_owned() };
        let page = ErrorPage::new(frame, status, "");
        (page.action_href, page.action_label)
    };
    let expect = |href: &str, label: &str| (href.to_owned(), label.to_owned());
    assert_eq!(button(StatusCode::UNAUTHORIZED, "/x"), expect("/sign-in", "Sign in"));
    assert_eq!(button(StatusCode::NOT_FOUND, "/x"), expect("/", "To the start"));
    assert_eq!(button(StatusCode::SERVICE_UNAVAILABLE, "/search"), expect("/search", "Try again"));
    assert_eq!(button(StatusCode::INTERNAL_SERVER_ERROR, ""), expect("/", "Try again"));
    assert_eq!(button(StatusCode::IM_A_TEAPOT, "/x"), expect("/", "To the start"));
}

#[test]
fn all_pages_are_written_down_to_be_looked_at() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/pages");
    fs::create_dir_all(&folder).unwrap();
    for Sample { name, html } in all() {
        fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}
