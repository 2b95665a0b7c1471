//! Nobody sees or changes what is another's. In: every route that the router has. Out: 404 for the other's objects, a redirect or 401
//! without a session, and nothing changed. A route without a case fails.

use std::collections::BTreeSet;

use acceptance::{Person, TestApp};
use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::json;

/// What a route is.
enum Kind {
    /// Anyone may ask; it shows nothing of anybody.
    Public,
    /// It shows what is the asker's own.
    Own,
    /// It names an object: another's is 404.
    Object,
    /// It names a conversation: another's is 404, and where nothing is shown or changed, 204.
    Talk,
}

/// The conversation that the first person has.
const TALK: &str = "secret-talk";

/// Every route of the app: method, template, what it is.
const ROUTES: &[(&str, &str, Kind)] = &[
    ("GET", "/", Kind::Public),
    ("GET", "/sign-in", Kind::Public),
    ("POST", "/sign-in/demo", Kind::Public),
    ("GET", "/sign-in/oidc", Kind::Public),
    ("GET", "/sign-in/oidc/callback", Kind::Public),
    ("POST", "/sign-out", Kind::Public),
    ("GET", "/static/{*file}", Kind::Public),
    ("GET", "/documents", Kind::Own),
    ("POST", "/documents", Kind::Own),
    ("GET", "/documents/list", Kind::Own),
    ("GET", "/events", Kind::Own),
    ("GET", "/search", Kind::Own),
    ("GET", "/account", Kind::Own),
    ("POST", "/account/delete", Kind::Own),
    ("GET", "/documents/{id}", Kind::Object),
    ("GET", "/documents/{id}/file", Kind::Object),
    ("POST", "/documents/{id}/rename", Kind::Object),
    ("POST", "/documents/{id}/cancel", Kind::Object),
    ("POST", "/documents/{id}/retry", Kind::Object),
    ("POST", "/documents/{id}/delete", Kind::Object),
    ("GET", "/chat", Kind::Own),
    ("GET", "/api/chat", Kind::Own),
    ("POST", "/api/chat", Kind::Own),
    ("GET", "/chat/{id}", Kind::Talk),
    ("POST", "/chat/{id}/rename", Kind::Talk),
    ("POST", "/chat/{id}/delete", Kind::Talk),
    ("GET", "/api/chat/{id}", Kind::Talk),
    ("GET", "/api/chat/{id}/stream", Kind::Talk),
    ("POST", "/api/chat/{id}/stop", Kind::Talk),
    ("POST", "/api/chat/{id}/feedback", Kind::Talk),
];

/// What a route's template becomes.
fn filled(path: &str, kind: &Kind, document: &str) -> String {
    path.replace("{id}", if matches!(kind, Kind::Talk) { TALK } else { document })
}

/// The templates in the app's own sources: the router is built from these lines and from nothing else.
fn routes_of_the_router() -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let sources = stack::paths::checkout().join("app/src");
    for file in super::tenants::walk(&sources)? {
        if file.ends_with("admin.rs") || file.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        for rest in text.split(".route(").skip(1) {
            let Some(path) = rest.split('"').nth(1) else {
                bail!("{}: a route without a path", file.display())
            };
            found.insert(path.to_owned());
        }
    }
    Ok(found)
}

#[test]
fn every_route_has_a_case() -> Result<()> {
    let cases: BTreeSet<String> = ROUTES.iter().map(|(_, path, _)| (*path).to_owned()).collect();
    let routes = routes_of_the_router()?;
    ensure!(
        routes == cases,
        "routes without a case: {:?}; cases without a route: {:?}",
        routes.difference(&cases).collect::<Vec<_>>(),
        cases.difference(&routes).collect::<Vec<_>>()
    );
    Ok(())
}

async fn ask(person: &Person, method: &str, path: &str) -> Result<acceptance::Answer> {
    let request = person.request(Method::from_bytes(method.as_bytes())?, path);
    let request = request.header("x-requested-with", "fetch");
    let form = [("title", "taken over"), ("confirm", "delete"), ("name", "x")];
    let thumb = json!({"messageId": "m1", "value": -1});
    person
        .send(match (method, path.starts_with("/api/")) {
            ("POST", true) => request.json(&thumb),
            ("POST", false) => request.form(&form),
            _ => request,
        })
        .await
}

#[tokio::test]
async fn another_persons_documents_do_not_exist() -> Result<()> {
    let app = TestApp::start("matrix").await?;
    let (ada, bob) = (app.ready_person("Ada").await?, app.ready_person("Bob").await?);
    let id = ada.uploaded("secret plans.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    ada.ask(TALK, "What is the secret number of the invoice?").await?.ended("finish")?;
    let talk = ada.conversation(TALK).await?;
    let state = "select string_agg(d::text, ';' order by id) from documents d";
    let before: (String,) = sqlx::query_as(state).fetch_one(&app.db).await?;
    for (method, path, kind) in ROUTES {
        match kind {
            Kind::Public => {}
            Kind::Object | Kind::Talk => {
                let path = filled(path, kind, &id);
                ask(&bob, method, &path).await?.expect_error(404, "not_found")?;
            }
            Kind::Own if *method == "GET" && *path != "/events" => {
                let text = ask(&bob, method, path).await?.expect(200)?.text();
                let shown = [&id, "secret plans", TALK, "secret number"]
                    .iter()
                    .any(|hers| text.contains(*hers));
                ensure!(!shown, "{path}: {text}");
            }
            Kind::Own => {}
        }
    }
    let hits = bob.search("ZX-4711").await?;
    ensure!(!hits.contains(&id) && !hits.contains("thirty days"), "{hits}");
    let asked = bob.page(&format!("/search?q=ZX-4711&document={id}")).await?;
    ensure!(!asked.text().contains("thirty days"), "{}", asked.text());
    let after: (String,) = sqlx::query_as(state).fetch_one(&app.db).await?;
    ensure!(before == after, "{before:?} became {after:?}");
    ensure!(ada.conversation(TALK).await? == talk, "{talk} was changed");
    // The other's stream tells nothing of it.
    let list = ada.get("/documents/list").await?.expect(200)?.text();
    ensure!(list.contains("secret plans"));
    Ok(())
}

#[tokio::test]
async fn without_a_session_nothing_is_shown_or_changed() -> Result<()> {
    let app = TestApp::start("matrix-out").await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("secret plans.pdf", super::animals()).await?;
    let nobody = app.stranger()?;
    for (method, path, kind) in ROUTES {
        if matches!(kind, Kind::Public) {
            continue;
        }
        let path = filled(path, kind, &id);
        let answer = ask(&nobody, method, &path).await?;
        ensure!(
            answer.status == 401,
            "{method} {path} answered {}: {}",
            answer.status,
            answer.text()
        );
        let request = nobody.request(Method::from_bytes(method.as_bytes())?, &path);
        let answer = nobody.send(request.header("accept", "text/html")).await?;
        ensure!(
            answer.status == 303 && answer.location().starts_with("/sign-in"),
            "{method} {path}: {}",
            answer.status
        );
    }
    let odd = ada.get("/documents/not-an-id").await?;
    ensure!(odd.status == 404, "{} {}", odd.status, odd.text());
    ensure!(app.count("select count(*) from documents").await? == 1);
    Ok(())
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_named() -> Result<()> {
    let app = TestApp::start("methods").await?;
    let nobody = app.stranger()?;
    for (_, path, kind) in ROUTES {
        let path = filled(path, kind, "00000000-0000-0000-0000-000000000000");
        let request = nobody.request(Method::DELETE, &path).header("x-requested-with", "fetch");
        let answer = nobody.send(request).await?;
        let allowed = answer.header("allow").to_owned();
        ensure!(allowed.contains("GET") || allowed.contains("POST"), "{path} allows {allowed:?}");
        answer.expect_error(405, "method_not_allowed").context(path)?;
    }
    Ok(())
}
