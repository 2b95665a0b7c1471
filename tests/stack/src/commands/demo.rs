//! `stack demo`: the main job, told aloud to somebody who sees it for the first time.
//!
//! In: flags. Out: the walk from a declared tenant to a working vector database and back to nothing; then everything stays
//! up until Ctrl-C, unless asked to end. Every step checks what it shows, so the exit code is honest.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

mod app;

use super::{Common, narrator as n, prepare};
use crate::child::Child;
use crate::{Options, Stack, http, paths, say};

const SAMPLE: &str = "crds/sample-tenant.yaml";
const CONDITIONS: &str = "{range .status.conditions[*]}{.type}{\"\\t\"}{.status}{\"\\t\"}{.reason}{\"\\t\"}{.message}{\"\\n\"}{end}";

/// The demo; `once` ends it after the walk.
pub fn demo(common: &Common, once: bool) -> Result<ExitCode> {
    let started = Instant::now();
    n::heading(
        1,
        "What it needs",
        "Programs are found, or installed into a cache that the next start uses again.",
    );
    prepare(common)?;
    n::heading(
        2,
        "The local stack",
        "A Kubernetes API server, Postgres with pgvector, a pooler and a Neon API, all real, all on this machine.",
    );
    let options = Options { models: true, chat: true, ..common.options() };
    let stack = say::while_doing("starting the local stack", || Stack::start(options))?;
    n::tell(&format!("Kubernetes   {}", stack.kubeconfig().display()));
    n::tell(&format!("Neon API     {}", stack.neon_api_url()));
    n::tell(&format!("logs         {}", stack.log_dir().display()));
    let result = Demo::start(&stack).and_then(|demo| {
        demo.tenant_appears()?;
        demo.vectors_are_found()?;
        demo.tenant_goes()?;
        let app = app::Walk::start(&stack).and_then(|walk| walk.tell(once));
        Ok((app.map_err(|error| demo.explain(error))?, demo))
    });
    let (app, demo) = result.with_context(|| {
        format!("the demo failed; all logs are in {}", stack.log_dir().display())
    })?;
    n::tell(&format!("\n   Done in {}.", say::human(started.elapsed())));
    if once {
        return Ok(ExitCode::SUCCESS);
    }
    demo.stay(&app)
}

struct Demo<'a> {
    stack: &'a Stack,
    operator: Child,
    metrics: String,
}

impl<'a> Demo<'a> {
    fn start(stack: &'a Stack) -> Result<Self> {
        n::heading(
            3,
            "The operator",
            "It has a ServiceAccount of its own, and no more rights than that account.",
        );
        let operator = stack.spawn("operator", &stack.operator()?)?;
        let line = operator.wait_for_log("listening", Duration::from_secs(30))?;
        let address = address_in(&line)
            .with_context(|| format!("no address in the operator's line {line:?}"))?;
        let metrics = format!("http://{address}/metrics");
        n::tell(&format!("pid {}, metrics at {metrics}", operator.pid()));
        Ok(Self { stack, operator, metrics })
    }

    /// kubectl as the story shows it: the kubeconfig comes from the environment.
    fn kubectl(&self, args: &[&str]) -> Command {
        let mut command = self.stack.kubectl();
        command.args(args).current_dir(paths::checkout());
        command
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        n::run(&format!("kubectl {}", args.join(" ")), &mut self.kubectl(args))
            .map_err(|error| self.explain(error))
    }

    fn ask(&self, args: &[&str]) -> Result<String> {
        n::quietly(&format!("kubectl {}", args.join(" ")), &mut self.kubectl(args))
            .map_err(|error| self.explain(error))
    }

    /// A failure with the end of the operator's log, which mostly says why.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("{}\n{}", self.operator.epitaph(), self.operator.last_lines(15)))
    }

    fn tenant_appears(&self) -> Result<()> {
        n::heading(4, "A tenant is declared", "");
        n::run(
            &format!("cat {SAMPLE}"),
            Command::new("cat").arg(SAMPLE).current_dir(paths::checkout()),
        )?;
        let started = Instant::now();
        self.run(&["apply", "-f", SAMPLE])?;
        self.run(&["wait", "vt/acme", "--for=condition=Ready", "--timeout=60s"])?;
        n::tell(&format!(
            "(from apply to Ready, kubectl's own start included: {})",
            say::human(started.elapsed())
        ));
        self.run(&["get", "vt", "-o", "wide"])?;
        println!("\n   $ kubectl get vt acme -o jsonpath='{{.status.conditions}}'   (as a table)");
        let conditions =
            self.ask(&["get", "vt", "acme", "-o", &format!("jsonpath={CONDITIONS}")])?;
        n::show(&n::table(&format!("TYPE\tSTATUS\tREASON\tMESSAGE\n{conditions}")));
        Ok(())
    }

    /// The Secret's name and the connection string in it.
    fn secret(&self) -> Result<(String, String)> {
        let name = self.ask(&["get", "vt", "acme", "-o", "jsonpath={.status.binding.name}"])?;
        let uri =
            self.ask(&["get", "secret", &name, "-o", "go-template={{.data.uri | base64decode}}"])?;
        Ok((name, uri))
    }

    fn vectors_are_found(&self) -> Result<()> {
        n::heading(
            5,
            "Its Secret connects to a vector database",
            "The tenant's own database, with its schema, over TLS.",
        );
        let (secret, uri) = self.secret()?;
        println!(
            "\n   $ URI=$(kubectl get secret {secret} -o go-template='{{{{.data.uri | base64decode}}}}')"
        );
        n::tell(&without_password(&uri));
        n::run(
            "psql \"$URI\" -c '\\d embeddings'",
            self.stack.psql().arg(&uri).args(["-c", "\\d embeddings"]),
        )?;

        n::heading(
            6,
            "Vectors are stored and found",
            "A toy embedding (words counted into slots) stands for your model.",
        );
        let dimensions =
            self.ask(&["get", "vt", "acme", "-o", "jsonpath={.spec.vector.dimensions}"])?;
        let sql = sql(dimensions.trim());
        println!("\n   $ psql \"$URI\" <<'SQL'");
        n::show(&format!("{sql}SQL"));
        println!();
        let output = n::quietly("psql", self.stack.psql().arg(&uri).args(["-c", &sql]))?;
        n::show(&output);
        let first = output
            .lines()
            .find(|line| line.contains('|') && !line.contains("distance"))
            .unwrap_or_default();
        ensure!(
            first.contains("cats"),
            "the nearest passage should be the one about cats:\n{output}"
        );
        Ok(())
    }

    fn tenant_goes(&self) -> Result<()> {
        n::heading(
            7,
            "The tenant is deleted",
            "With it go its project, its database and its Secret.",
        );
        let (secret, uri) = self.secret()?;
        let project = self.ask(&["get", "vt", "acme", "-o", "jsonpath={.status.projectId}"])?;
        let before = self.projects()?;
        ensure!(
            !project.is_empty() && before.contains(&project),
            "{project:?} is not among {before:?}"
        );
        self.run(&["delete", "vt", "acme", "--timeout=60s"])?;
        let after = self.projects()?;
        let (before, now) = (listed(&before), listed(&after));
        println!();
        n::tell(&format!("Neon's list of projects, before: {before}; now: {now}"));
        ensure!(!after.contains(&project), "the project {project} is still there");
        let refused = |typed: &str, command: &mut Command| n::run_to_see_it_refused(typed, command);
        refused(
            "psql \"$URI\" -c 'select 1'",
            self.stack.psql().arg(&uri).args(["-c", "select 1"]),
        )?;
        let gone = format!("secret/{secret}");
        self.run(&["wait", "--for=delete", &gone, "--timeout=60s"])?;
        refused(
            &format!("kubectl get secret {secret}"),
            &mut self.kubectl(&["get", "secret", &secret]),
        )?;
        Ok(())
    }

    /// Ids of the projects that the Neon API lists.
    fn projects(&self) -> Result<Vec<String>> {
        let key = format!("Bearer {}", self.stack.neon_api_key());
        let (status, body) = http::get(
            &format!("{}/projects", self.stack.neon_api_url()),
            &[("authorization", &key)],
        )?;
        ensure!(status == 200, "the Neon API answered {status}: {body}");
        let body: Value = serde_json::from_str(&body)?;
        let ids = body["projects"].as_array().context("no projects in the answer")?;
        Ok(ids.iter().filter_map(|project| Some(project["id"].as_str()?.to_owned())).collect())
    }

    fn stay(&self, app: &app::Walk<'_>) -> Result<ExitCode> {
        println!("\nEverything stays up. In a browser:\n");
        println!("   {}   (sign in as Ada, as Grace, or under any other name)", app.url());
        println!("\nIn another terminal:\n");
        println!("   export KUBECONFIG={}", self.stack.kubeconfig().display());
        println!("   kubectl apply -f {SAMPLE} && kubectl get vt -A -w\n");
        println!("   app's metrics        {}/metrics", app.admin_url());
        println!("   operator's metrics   {}", self.metrics);
        println!(
            "   Neon API             {}   (key: {})",
            self.stack.neon_api_url(),
            self.stack.neon_api_key()
        );
        println!("   emulator's control   {}", self.stack.neon_control_url());
        println!("   logs                 {}", self.stack.log_dir().display());
        println!("\nCtrl-C stops everything that was started.");
        match self.stack.stay()? {}
    }
}

/// `127.0.0.1:8080` in a log line.
fn address_in(line: &str) -> Option<&str> {
    let from = line.find("127.0.0.1:")?;
    let rest = &line[from..];
    let port = rest["127.0.0.1:".len()..].find(|c: char| !c.is_ascii_digit());
    Some(&rest[..port.map_or(rest.len(), |length| length + "127.0.0.1:".len())])
}

fn listed(ids: &[String]) -> String {
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

fn without_password(uri: &str) -> String {
    match (uri.find("://"), uri.find('@')) {
        (Some(scheme), Some(at)) => match uri[scheme + 3..at].split_once(':') {
            Some((user, _)) => format!("{}{user}:…{}", &uri[..scheme + 3], &uri[at..]),
            None => uri.to_owned(),
        },
        (_, _) => uri.to_owned(),
    }
}

fn sql(dimensions: &str) -> String {
    let index = |column: &str| match dimensions.parse::<u32>() {
        Ok(2001..) => format!("{column}::halfvec({dimensions})"),
        _ => column.to_owned(),
    };
    let (stored, asked) = (index("embedding"), index("pg_temp.embed('Which animals are cats?')"));
    format!(
        "create function pg_temp.embed(passage text) returns vector language sql as $$
  select array_agg((select count(*) from regexp_split_to_table(lower(passage), '\\W+') word
                    where abs(hashtext(word)) % {dimensions} = slot)::real order by slot)::vector
  from generate_series(0, {dimensions} - 1) slot $$;
insert into embeddings (document_id, position, page_first, page_last, content, embedding)
  select gen_random_uuid(), 0, 1, 1, passage, pg_temp.embed(passage)
  from unnest(array['Lions and tigers are cats.', 'Rust has no garbage collector.', 'Bread needs flour and time.']) passage;
select content, round(({stored} <=> {asked})::numeric, 3) as distance
  from embeddings order by {stored} <=> {asked} limit 3;
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_a_log_line() {
        assert_eq!(address_in("INFO listening address=127.0.0.1:8080 x"), Some("127.0.0.1:8080"));
        assert_eq!(address_in("\"address\":\"127.0.0.1:1\"}"), Some("127.0.0.1:1"));
        assert_eq!(address_in("listening on 127.0.0.1:65000"), Some("127.0.0.1:65000"));
        assert_eq!(address_in("starting"), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            without_password("postgresql://u:secret@h:1/d?x=y"),
            "postgresql://u:…@h:1/d?x=y"
        );
    }

    #[test]
    fn the_query_uses_the_expression_that_the_index_is_built_on() {
        assert!(sql("1536").contains("order by embedding <=> "));
        assert!(sql("3072").contains("order by embedding::halfvec(3072) <=> "));
    }
}
