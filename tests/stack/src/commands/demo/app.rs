//! The second half of the demo: what tenants are for, by the app that people use.
//!
//! In: a running stack and operator. Out: two people with a database each, a PDF that becomes searchable, and an address for a
//! browser. Every step checks what it shows. Requests are those of a browser, made here so that the story can be told.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::n;
use crate::child::poll;
use crate::http::{self, Answer};
use crate::stack::App;
use crate::{Stack, paths, say};

const PATIENCE: Duration = Duration::from_secs(60);
const SAMPLE: &str = "tests/stack/sample.pdf";
const SOUGHT: &str = "Which animal hunts at night?";
const ASKED: &str = "From how far away does a lynx hear a mouse?";

/// The app, and who is signed in.
pub(super) struct Walk<'a> {
    stack: &'a Stack,
    app: App,
}

/// Somebody's session.
struct Person<'a> {
    walk: &'a Walk<'a>,
    name: &'static str,
    cookie: String,
}

impl<'a> Walk<'a> {
    pub(super) fn start(stack: &'a Stack) -> Result<Self> {
        n::heading(
            8,
            "What tenants are for: an app",
            "People sign in and upload PDFs. It has a database of its own for names and jobs, a small real embedding model, and no Neon key.",
        );
        let app = stack.start_app("app", &stack.app()?)?;
        n::tell(&format!("app          {}", app.url));
        let (vectors, answers) = (&stack.embeddings().model, &stack.chat().model);
        n::tell(&format!("models       {vectors} and {answers}, on this machine"));
        Ok(Self { stack, app })
    }

    pub(super) fn url(&self) -> &str {
        &self.app.url
    }

    pub(super) fn admin_url(&self) -> &str {
        &self.app.admin_url
    }

    /// The whole walk; `once` takes everything away again at its end.
    pub(super) fn tell(self, once: bool) -> Result<Self> {
        self.walk(once).map_err(|error| {
            error.context(format!(
                "{}\n{}",
                self.app.process.epitaph(),
                self.app.process.last_lines(15)
            ))
        })?;
        Ok(self)
    }

    fn walk(&self, once: bool) -> Result<()> {
        n::heading(
            9,
            "Two people sign in",
            "Signing in waits for nothing; each gets a database behind their back.",
        );
        let started = Instant::now();
        let (ada, grace) = (self.sign_in("Ada")?, self.sign_in("Grace")?);
        n::tell(&format!("Ada and Grace are signed in (after {})", say::human(started.elapsed())));
        let mut wait = self.stack.kubectl();
        wait.args([
            "-n",
            "tenants",
            "wait",
            "vt",
            "--all",
            "--for=condition=Ready",
            "--timeout=60s",
        ]);
        n::quietly("kubectl wait", &mut wait)?;
        let mut get = self.stack.kubectl();
        get.args(["-n", "tenants", "get", "vt"]);
        let table = n::run("kubectl -n tenants get vt", &mut get)?;
        ensure!(table.matches("True").count() == 2, "two tenants should be ready:\n{table}");

        n::heading(
            10,
            "Ada uploads a PDF",
            "Its pages are read, cut into passages, embedded and stored in her database.",
        );
        let id = ada.upload(SAMPLE)?;
        let started = Instant::now();
        say::while_doing("reading and embedding the PDF", || ada.wait_searchable(&id))?;
        n::tell(&format!("{SAMPLE} is searchable (after {})", say::human(started.elapsed())));

        n::heading(
            11,
            "She finds a passage, Grace does not",
            "By meaning and by words; each hit opens the PDF at its page.",
        );
        let hit = ada.search(SOUGHT)?.context("Ada finds nothing")?;
        n::tell(&format!("Ada seeks   {SOUGHT}"));
        n::tell(&format!("the app     {}{hit}", self.app.url));
        ensure!(
            hit.contains(&id) && hit.ends_with("?page=2"),
            "the lynx is on page 2, and not at {hit}"
        );
        ensure!(grace.search(SOUGHT)?.is_none(), "Grace finds what is Ada's");
        n::tell("Grace seeks the same and finds nothing: her database is another.");
        self.chat(&ada, &id)?;
        if once {
            self.end(&[ada, grace])?;
        }
        Ok(())
    }

    /// A question to the documents, answered by a small model on this machine.
    fn chat(&self, ada: &Person<'_>, id: &str) -> Result<()> {
        n::heading(
            12,
            "She asks, and the answer cites its pages",
            "Sources come first, then the text as the model writes it. The model here is tiny; a better one is three flags.",
        );
        let started = Instant::now();
        let events = say::while_doing("answering", || ada.ask(ASKED))?;
        let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == *kind);
        let sources: Vec<&str> =
            of("source-document").filter_map(|one| one["title"].as_str()).collect();
        let text: String = of("text-delta").filter_map(|one| one["delta"].as_str()).collect();
        n::tell(&format!("Ada asks    {ASKED}"));
        n::tell(&format!("sources     {}", sources.join("; ")));
        n::tell(&format!("the answer  {} (after {})", text.trim(), say::human(started.elapsed())));
        for note in of("data-note").filter_map(|one| one["data"]["words"].as_str()) {
            n::tell(&format!("note        {note}"));
        }
        let first = of("data-citation").next().context("no source")?;
        ensure!(
            first["data"]["documentId"] == id && first["data"]["page"] == 2,
            "the lynx is on page 2, and not at {first}"
        );
        let last = events.last().context("no events")?;
        ensure!(
            last["type"] == "finish" && !text.trim().is_empty(),
            "the answer ended with {last}"
        );
        Ok(())
    }

    fn end(&self, people: &[Person<'_>]) -> Result<()> {
        n::heading(13, "Both delete their accounts", "With them go tenants, databases, files.");
        for person in people {
            person.post("/account/delete", "confirm=delete")?;
        }
        let mut wait = self.stack.kubectl();
        wait.args(["-n", "tenants", "wait", "vt", "--all", "--for=delete", "--timeout=60s"]);
        n::quietly("kubectl wait", &mut wait)?;
        let mut get = self.stack.kubectl();
        get.args(["-n", "tenants", "get", "vt", "--no-headers"]);
        ensure!(n::quietly("kubectl get", &mut get)?.is_empty(), "a tenant is left");
        n::tell("Nothing of theirs is left.");
        Ok(())
    }

    fn sign_in(&self, name: &'static str) -> Result<Person<'_>> {
        let answer = self.post("", "/sign-in/demo", &format!("name={name}"))?;
        ensure!(answer.status == 303, "signing in answered {}: {}", answer.status, answer.body);
        let cookie = answer.header("set-cookie").and_then(|line| line.split(';').next());
        let cookie = cookie.context("no cookie")?.to_owned();
        Ok(Person { walk: self, name, cookie })
    }

    fn post(&self, cookie: &str, path: &str, form: &str) -> Result<Answer> {
        let kind = "application/x-www-form-urlencoded";
        self.send(cookie, path, kind, form.as_bytes())
    }

    fn send(&self, cookie: &str, path: &str, kind: &str, body: &[u8]) -> Result<Answer> {
        let length = body.len().to_string();
        let headers = [
            ("cookie", cookie),
            ("content-type", kind),
            ("content-length", &length),
            ("sec-fetch-site", "same-origin"),
            ("x-requested-with", "fetch"),
        ];
        http::ask("POST", &format!("{}{path}", self.app.url), &headers, body)
    }
}

impl Person<'_> {
    fn post(&self, path: &str, form: &str) -> Result<()> {
        let answer = self.walk.post(&self.cookie, path, form)?;
        ensure!(answer.status < 400, "{path} answered {}: {}", answer.status, answer.body);
        Ok(())
    }

    fn get(&self, path: &str) -> Result<String> {
        let headers = [("cookie", self.cookie.as_str()), ("accept", "text/html")];
        let answer = http::ask("GET", &format!("{}{path}", self.walk.app.url), &headers, b"")?;
        ensure!(
            answer.status == 200,
            "{path} answered {} to {}: {}",
            answer.status,
            self.name,
            answer.body
        );
        Ok(answer.body)
    }

    /// Uploads a file of the checkout; the document's id.
    fn upload(&self, file: &str) -> Result<String> {
        let content = fs::read(paths::checkout().join(file)).with_context(|| file.to_owned())?;
        let edge = paths::random_hex(8)?;
        let name = file.rsplit('/').next().unwrap_or(file);
        let head = format!(
            "--{edge}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: application/pdf\r\n\r\n"
        );
        let body = [head.as_bytes(), &content, format!("\r\n--{edge}--\r\n").as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={edge}");
        let answer = self.walk.send(&self.cookie, "/documents", &kind, &body)?;
        ensure!(answer.status == 201, "the upload answered {}: {}", answer.status, answer.body);
        let body: Value = serde_json::from_str(&answer.body)?;
        Ok(body["id"].as_str().context("no id in the answer")?.to_owned())
    }

    fn wait_searchable(&self, id: &str) -> Result<()> {
        let look = || {
            let list = match self.get("/documents/list") {
                Ok(list) => list,
                Err(error) => return Some(Err(error)),
            };
            let row = list.find(&format!("doc-{id}")).map(|at| &list[at..]).unwrap_or_default();
            let stage = row.split("data-stage=\"").nth(1).and_then(|rest| rest.split('"').next());
            match stage {
                Some("ready") => Some(Ok(())),
                Some("failed") => Some(Err(anyhow::anyhow!("the PDF could not be read"))),
                Some(_) | None => None,
            }
        };
        match poll(PATIENCE, look) {
            Some(result) => result,
            None => bail!("the PDF was not searchable within {PATIENCE:?}"),
        }
    }

    /// The events of an answer.
    fn ask(&self, question: &str) -> Result<Vec<Value>> {
        let parts = json!([{"type": "text", "text": question}]);
        let body = json!({"id": "demo", "messages": [{"role": "user", "parts": parts}]});
        let body = body.to_string();
        let answer =
            self.walk.send(&self.cookie, "/api/chat", "application/json", body.as_bytes())?;
        ensure!(answer.status == 200, "the chat answered {}: {}", answer.status, answer.body);
        let events = answer.body.lines().filter_map(|line| line.strip_prefix("data: {"));
        let events = events.map(|rest| serde_json::from_str(&format!("{{{rest}")));
        events.collect::<Result<_, _>>().context("an event that is no JSON")
    }

    /// Where the first hit leads, if there is one.
    fn search(&self, question: &str) -> Result<Option<String>> {
        let query = question.replace(' ', "+").replace('?', "%3F");
        let page = self.get(&format!("/search?q={query}"))?;
        let hit = page.split("class=\"hit-link\" href=\"").nth(1);
        Ok(hit.and_then(|rest| rest.split('"').next()).map(ToOwned::to_owned))
    }
}
