//! Replies that the real Neon API gave, replayed to the operator's client.
//!
//! In: cassettes (`recorded/*.yaml`: real requests and replies of Neon's own Python client, 2024 and 2025), from
//! `TENANTRY_NEON_RECORDED` or beside the checkout. Out: each reply that the client has a call for decodes to what
//! its JSON says, asked for on the very path that was recorded. Without cassettes the test says `SKIPPED`.
//! It proves shapes and paths, not behaviour.

mod compare;
mod player;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use url::Url;

use player::Player;

#[derive(Deserialize)]
struct Cassette {
    interactions: Vec<Interaction>,
}

#[derive(Deserialize)]
struct Interaction {
    request: Asked,
    response: Answered,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    uri: String,
}

#[derive(Deserialize)]
struct Answered {
    body: Body,
    status: Status,
}

#[derive(Deserialize)]
struct Body {
    string: String,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
}

/// Recorded routes that the operator has no use for.
const NOT_OURS: [&str; 4] = [
    "GET /projects/shared",
    "GET /projects/{}/endpoints/{}",
    "GET /projects/{}/operations/{}",
    "GET /projects/{}/branches/{}/roles/{}",
];

#[tokio::test]
async fn recorded_replies_decode() -> Result<()> {
    let Some(cassettes) = cassettes()? else {
        return Ok(());
    };
    let player = Player::start().await?;
    let (mut replayed, mut skipped) = (BTreeMap::new(), BTreeMap::new());
    for (file, cassette) in cassettes {
        for (number, interaction) in cassette.interactions.into_iter().enumerate() {
            let place = format!("{file} #{number}");
            let (route, ids) = route(&interaction.request)?;
            if NOT_OURS.contains(&route.as_str()) {
                *skipped.entry(route).or_insert(0) += 1;
                continue;
            }
            let asked = player.load(&interaction);
            compare::reply(&player.client, &route, &ids, &interaction.response)
                .await
                .with_context(|| place.clone())?;
            let lines = player.lines();
            ensure!(lines.iter().all(|line| *line == asked), "{place}: {lines:?}, not {asked}");
            *replayed.entry(route).or_insert(0) += 1;
        }
    }
    println!("replayed {replayed:?}, no call for {skipped:?}");
    let total: usize = replayed.values().sum();
    ensure!(
        total >= 30 && replayed.len() >= 11,
        "only {total} replies of {} routes",
        replayed.len()
    );
    Ok(())
}

/// The cassettes by file name, or nothing, said aloud.
fn cassettes() -> Result<Option<Vec<(String, Cassette)>>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/neon/recorded");
    let folder = std::env::var_os("TENANTRY_NEON_RECORDED").map_or(beside, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        stack::skip(
            "contract/recorded",
            "no cassettes; set TENANTRY_NEON_RECORDED to their folder",
        );
        return Ok(None);
    };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    ensure!(!files.is_empty(), "{} holds no cassette", folder.display());
    let read = |file: PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file)?;
        let cassette = serde_saphyr::from_str(&text).with_context(|| name.clone())?;
        Ok((name, cassette))
    };
    files.into_iter().map(read).collect::<Result<Vec<_>>>().map(Some)
}

/// The route with `{}` for each id, and the ids.
fn route(asked: &Asked) -> Result<(String, Vec<String>)> {
    let url = Url::parse(&asked.uri)?;
    let path = url.path().strip_prefix("/api/v2/").context("not the API")?;
    let fixed = [
        "projects",
        "shared",
        "branches",
        "databases",
        "roles",
        "endpoints",
        "operations",
        "connection_uri",
    ];
    let (mut route, mut ids) = (format!("{} ", asked.method), Vec::new());
    for segment in path.split('/') {
        if fixed.contains(&segment) {
            route.push_str(&format!("/{segment}"));
        } else {
            route.push_str("/{}");
            ids.push(segment.to_owned());
        }
    }
    Ok((route, ids))
}
