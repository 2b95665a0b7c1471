//! The Neon emulator as a part of the stack.
//!
//! In: a running Postgres, perhaps a pooler. Out: where its API and its control routes are, and the key that the API wants. It
//! must know nothing of the emulator but its command line and the one line it prints.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::certs::Certs;
use crate::database::Database;
use crate::options::Emulator;
use crate::paths;
use crate::run::{Run, Stop};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running emulator.
#[derive(Debug, Clone)]
pub(crate) struct Neon {
    /// `http://127.0.0.1:…/api/v2`
    pub api_url: String,
    /// `http://127.0.0.1:…/_emulator`
    pub control_url: String,
    /// The bearer token that the API accepts.
    pub api_key: String,
}

/// Starts the emulator at an address and waits for the line that says where it is.
pub(crate) fn start(
    run: &Run,
    options: &Emulator,
    certs: &Certs,
    database: &Database,
    pooler: Option<u16>,
    host: IpAddr,
) -> Result<Neon> {
    let api_key = format!("napi_{}", paths::random_hex(16)?);
    let mut command = Command::new(paths::binary("neon-emulator")?);
    let listen = SocketAddr::new(host, 0).to_string();
    command.args(["--listen", &listen, "--postgres-url", &database.url]);
    command
        .arg("--tls-cert")
        .arg(certs.cert("postgres"))
        .arg("--tls-key")
        .arg(certs.key("postgres"));
    if let Some(port) = pooler {
        command.arg("--pooler").arg(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string());
    }
    command.args(["--operation-millis", &options.operation_millis.to_string()]);
    command.args(["--cold-start-millis", &options.cold_start_millis.to_string()]);
    command.args(&options.extra_args).env("NEON_EMULATOR_API_KEY", &api_key);
    let emulator = run.spawn("neon-emulator", &command, None, Stop::Kill)?;
    let line = emulator.wait_for_log("\"api_url\"", PATIENCE)?;
    let (api_url, control_url) =
        urls(&line).with_context(|| format!("the emulator said {line:?}"))?;
    Ok(Neon { api_url, control_url, api_key })
}

fn urls(line: &str) -> Option<(String, String)> {
    let said: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| said.get(key)?.as_str().map(ToOwned::to_owned);
    Some((text("api_url")?, text("control_url")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_first_line_is_understood() {
        let line = r#"{"api_url":"http://127.0.0.1:1/api/v2","control_url":"http://127.0.0.1:1/_emulator"}"#;
        assert_eq!(urls(line).unwrap().0, "http://127.0.0.1:1/api/v2");
        assert_eq!(urls("listening"), None);
    }
}
