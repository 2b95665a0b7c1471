//! Neon's OpenAPI file as a judge of exchanges. In: the file (`TENANTRY_NEON_SPEC`, or beside the checkout) and an
//! exchange: method, path, query, request body, status, reply. Out: what is wrong with it, in words. It proves shapes,
//! never behaviour.

mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};

use anyhow::{Context, Result};
use jsonschema::Validator;
use serde_json::{Value, json};

use schema::Schemas;

/// One exchange, as the emulator's record has it.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// Beneath `/api/v2`.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    #[serde(default)]
    pub(crate) request: Value,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) reply: Value,
    /// Fault rules that had a hand in it: such a reply need not conform.
    #[serde(default)]
    pub(crate) faults: Vec<u64>,
}

/// The file, ready to judge.
pub(crate) struct OpenApi {
    file: Value,
    schemas: Schemas,
    compiled: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// Fields that replies have today and the file of 2026-04 does not know yet (from the newer generated clients).
const NEWER: [&str; 2] = ["project.deleted_at", "project.recoverable_until"];

impl OpenApi {
    /// The judge, or nothing where the file is not to be had; that is said aloud.
    pub(crate) fn load() -> Result<Option<Self>> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/neon");
        let place = std::env::var_os("TENANTRY_NEON_SPEC").map_or(beside, PathBuf::from);
        let file = if place.is_dir() { place.join("openapi.json") } else { place };
        let Ok(text) = std::fs::read_to_string(&file) else {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                let reason = "no openapi.json of Neon's; set TENANTRY_NEON_SPEC to it";
                stack::skip("contract/openapi", reason);
            });
            return Ok(None);
        };
        let file: Value = serde_json::from_str(&text).context("openapi.json")?;
        let schemas = Schemas::new(&file["components"]["schemas"]);
        Ok(Some(Self { file, schemas, compiled: Mutex::default() }))
    }

    /// The template of the file that a path belongs to: the one with the most literal parts.
    fn template(&self, path: &str) -> Option<&str> {
        let parts: Vec<_> = path.split('/').collect();
        let literal = |template: &&String| {
            let theirs: Vec<_> = template.split('/').collect();
            let fits = theirs.len() == parts.len()
                && theirs.iter().zip(&parts).all(|(t, p)| t.starts_with('{') || t == p);
            fits.then(|| theirs.iter().filter(|t| !t.starts_with('{')).count())
        };
        let paths = self.file["paths"].as_object()?;
        let best = paths.keys().filter(|t| literal(t).is_some()).max_by_key(literal)?;
        Some(best)
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                self.file.pointer(reference.trim_start_matches('#')).unwrap_or(value)
            }
            None => value,
        }
    }

    /// Every fault of an exchange; empty: it conforms.
    pub(crate) fn judge(&self, exchange: &Exchange) -> Vec<String> {
        let Exchange { method, path, .. } = exchange;
        let known = self.template(path).map(|t| (t, &self.file["paths"][t][method.to_lowercase()]));
        let Some((template, operation)) = known.filter(|(_, o)| o.is_object()) else {
            // Nothing is declared for it, so nothing but a plain error may come back.
            let plain = matches!(exchange.status, 401 | 404 | 405);
            return if plain {
                Vec::new()
            } else {
                vec![format!("{method} {path} is not in the file")]
            };
        };
        let route = format!("{method} {template}");
        let mut wrong = self.reply(&route, operation, exchange);
        if exchange.status < 300 {
            wrong.extend(self.request(&route, template, operation, exchange));
        }
        wrong.into_iter().map(|fault| format!("{route} {}: {fault}", exchange.status)).collect()
    }

    fn reply(&self, route: &str, operation: &Value, exchange: &Exchange) -> Vec<String> {
        if !exchange.faults.is_empty() {
            return Vec::new();
        }
        let responses = &operation["responses"];
        let status = exchange.status.to_string();
        let declared = responses.get(&status);
        if declared.is_none() && exchange.status < 400 {
            return vec![format!("status is not declared")];
        }
        let response = self.resolve(declared.unwrap_or(&responses["default"]));
        match response.pointer("/content/application~1json/schema") {
            Some(schema) => self.check(&format!("{route} {status}"), schema, &exchange.reply),
            None if exchange.reply.is_null() => Vec::new(),
            None => vec!["no body is declared".to_owned()],
        }
    }

    fn request(
        &self,
        route: &str,
        template: &str,
        operation: &Value,
        exchange: &Exchange,
    ) -> Vec<String> {
        let mut wrong = self.query(template, operation, exchange);
        let body = self.resolve(&operation["requestBody"]);
        match body.pointer("/content/application~1json/schema") {
            Some(schema) if !exchange.request.is_null() => {
                wrong.extend(self.check(&format!("{route} request"), schema, &exchange.request));
            }
            Some(_) if body["required"] == json!(true) => {
                wrong.push("the request has no body".to_owned())
            }
            Some(_) | None => {}
        }
        wrong
    }

    fn query(&self, template: &str, operation: &Value, exchange: &Exchange) -> Vec<String> {
        let common = self.file["paths"][template]["parameters"].as_array();
        let own = operation["parameters"].as_array();
        let parameters: Vec<_> =
            common.into_iter().chain(own).flatten().map(|p| self.resolve(p)).collect();
        let in_query = |p: &&&Value| p["in"] == json!("query");
        let query =
            url::form_urlencoded::parse(exchange.query.as_deref().unwrap_or_default().as_bytes());
        let given: BTreeMap<String, String> = query.into_owned().collect();
        let mut wrong = Vec::new();
        for (name, text) in &given {
            match parameters.iter().filter(in_query).find(|p| p["name"] == json!(name)) {
                None => wrong.push(format!("query {name} is not declared")),
                Some(parameter) => {
                    let value = match parameter["schema"]["type"].as_str() {
                        Some("integer") => text.parse::<i64>().map_or(json!(text), Value::from),
                        // Go reads more words than these as a boolean; clients use them.
                        Some("boolean") => {
                            text.to_lowercase().parse::<bool>().map_or(json!(text), Value::from)
                        }
                        _ => json!(text),
                    };
                    let place = format!("{template} query {name}");
                    wrong.extend(self.check(&place, &parameter["schema"], &value));
                }
            }
        }
        for parameter in parameters.iter().filter(in_query).filter(|p| p["required"] == json!(true))
        {
            let name = parameter["name"].as_str().unwrap_or_default();
            if !given.contains_key(name) {
                wrong.push(format!("query {name} is missing"));
            }
        }
        wrong
    }

    fn check(&self, place: &str, schema: &Value, value: &Value) -> Vec<String> {
        let validator = match self.validator(place, schema) {
            Ok(validator) => validator,
            Err(error) => return vec![format!("schema of {place}: {error:#}")],
        };
        let mut wrong: Vec<_> =
            validator.iter_errors(value).map(|e| format!("{} {e}", e.instance_path())).collect();
        let unknown = self.schemas.undeclared(schema, value, String::new());
        wrong.extend(
            unknown
                .into_iter()
                .filter(|f| !NEWER.contains(&f.as_str()))
                .map(|f| format!("{f} is not declared")),
        );
        wrong
    }

    fn validator(&self, place: &str, schema: &Value) -> Result<Arc<Validator>> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = compiled.get(place) {
            return Ok(validator.clone());
        }
        let validator = Arc::new(self.schemas.compile(schema)?);
        compiled.insert(place.to_owned(), validator.clone());
        Ok(validator)
    }

    /// Judges a record of the emulator's, line by line; returns how many exchanges it held.
    pub(crate) fn judge_record(&self, record: &Path) -> Result<usize> {
        let text = std::fs::read_to_string(record).with_context(|| record.display().to_string())?;
        let mut wrong = Vec::new();
        let mut count = 0;
        for line in text.lines() {
            let exchange: Exchange = serde_json::from_str(line).context("a line of the record")?;
            wrong.extend(self.judge(&exchange));
            count += 1;
        }
        wrong.dedup();
        anyhow::ensure!(
            wrong.is_empty(),
            "{} of {count} exchanges:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        Ok(count)
    }
}
