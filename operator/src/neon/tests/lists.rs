//! Listings: all pages, exact names, and what may be concluded from absence.

use serde_json::{Value, json};

use super::{
    client, client_with,
    server::{Reply, Server},
    settings,
};

fn listed(id: usize, name: &str) -> Value {
    json!({
        "id": format!("p-{id}"), "name": name, "region_id": "aws-us-east-2", "pg_version": 17,
        "created_at": "2026-11-23T12:00:00Z", "active_time": 0,
    })
}

/// A page of `count` projects called `name`, with the last one's id as its cursor.
fn page(from: usize, count: usize, name: &str) -> Value {
    let projects: Vec<_> = (from..from + count).map(|id| listed(id, name)).collect();
    json!({"projects": projects, "pagination": {"cursor": format!("p-{}", from + count - 1)}})
}

#[tokio::test]
async fn all_pages_are_read_and_partial_matches_dropped() {
    let mut second = page(1400, 397, "tenant-a-old");
    second["unavailable_project_ids"] = json!(["p-7", "p-8"]);
    second["projects"].as_array_mut().unwrap().push(listed(5, "tenant-a"));
    let mut third = page(2000, 2, "xtenant-a");
    let mut deleted = listed(6, "tenant-a");
    deleted["deleted_at"] = json!("2026-11-23T12:30:00Z");
    let live = [listed(5, "tenant-a"), listed(4, "tenant-a"), deleted];
    third["projects"].as_array_mut().unwrap().extend(live);
    let pages = [page(1000, 400, "tenant-ab"), second, third].map(|page| Reply::json(200, page));
    let server = Server::start(pages).await;
    let (client, _) = client(&server.url);
    let search = client.find_projects("tenant-a").await.unwrap();
    let ids: Vec<_> = search.projects.iter().map(|project| project.id.as_str()).collect();
    assert_eq!(ids, ["p-5", "p-4"], "exact name, alive, once each");
    assert!(!search.complete, "two were not available");
    let cursors: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            seen.query.iter().find(|(name, _)| name == "cursor").map(|(_, value)| value.clone())
        })
        .collect();
    assert_eq!(cursors, [None, Some("p-1399".to_owned()), Some("p-1796".to_owned())]);
}

#[tokio::test]
async fn the_query_is_encoded_and_names_the_organization() {
    let server = Server::start([Reply::json(200, json!({"projects": []}))]).await;
    let mut settings = settings(&format!("{}/", server.url));
    settings.org_id = Some("org-1".to_owned());
    let (client, _) = client_with(settings);
    let search = client.find_projects("a b&limit=1/ü?#").await.unwrap();
    assert!(search.projects.is_empty() && search.complete);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "GET /api/v2/projects");
    let expected = [("search", "a b&limit=1/ü?#"), ("limit", "400"), ("org_id", "org-1")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen.query, expected);
}

#[tokio::test]
async fn a_server_that_repeats_itself_is_left_and_proves_nothing() {
    let server = Server::start((0..9).map(|_| Reply::json(200, page(1, 400, "other")))).await;
    let (client, _) = client(&server.url);
    assert!(!client.find_projects("t").await.unwrap().complete);
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn a_full_last_page_is_followed_by_an_empty_one() {
    let pages = [page(1, 400, "t"), json!({"projects": []})];
    let server = Server::start(pages.map(|page| Reply::json(200, page))).await;
    let (client, _) = client(&server.url);
    let search = client.find_projects("t").await.unwrap();
    assert_eq!((search.projects.len(), search.complete), (400, true));
}

#[tokio::test]
async fn recoverable_projects_are_listed_apart() {
    let mut deleted = listed(2, "t");
    deleted["deleted_at"] = json!("2026-11-23T12:30:00Z");
    deleted["recoverable_until"] = json!("2026-11-30T12:30:00Z");
    let projects = json!({"projects": [listed(1, "t"), deleted, listed(3, "tt")]});
    let server = Server::start([Reply::json(200, projects)]).await;
    let (client, _) = client(&server.url);
    let found = client.recoverable("t").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, "p-2");
    assert_eq!(found[0].recoverable_until, "2026-11-30T12:30:00Z".parse().ok());
    assert!(server.seen()[0].query.contains(&("recoverable".to_owned(), "true".to_owned())));
}

#[tokio::test]
async fn branches_carry_their_annotations() {
    let branch = |id: &str, default: bool| {
        json!({"id": id, "name": id, "default": default, "protected": false,
               "primary": default, "current_state": "ready"})
    };
    let body = json!({
        "branches": [branch("br-1", true), branch("br-2", false)],
        "annotations": {"br-1": {
            "object": {"type": "console/branch", "id": "br-1"}, "value": {"uid": "u-1"},
            "created_at": "2026-11-23T12:00:00Z",
        }},
        "pagination": {"next": "eyJ9", "sort_by": "updated_at", "sort_order": "DESC"},
    });
    let server = Server::start([Reply::json(200, body)]).await;
    let (client, _) = client(&server.url);
    let branches = client.branches("p-1").await.unwrap();
    assert_eq!(branches[0].annotations["uid"], "u-1");
    assert!(branches[0].default && !branches[1].default && branches[1].annotations.is_empty());
    assert_eq!(server.lines().len(), 1, "a short page has no successor, whatever its cursor");
}
