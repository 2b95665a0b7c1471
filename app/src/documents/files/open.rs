//! Opening the file store, and what only a folder needs.
//!
//! In: flags. Out: a store, or words that name the flag. A folder is also swept of the pieces that a killed process left of
//! an upload; in a bucket these are never visible, and the bucket's own rule for incomplete uploads removes them.

use std::{io, path, sync::Arc, time::Duration};

use object_store::{
    ClientOptions, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
};
use secrecy::ExposeSecret;

use super::{Files, StoreError};
use crate::args::DocumentArgs;

/// How long the store may take to show itself at the start.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_secs(20);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const REQUEST_PATIENCE: Duration = Duration::from_secs(60);
/// The library would go on for three minutes, longer than anybody waits for a page.
const RETRIES: usize = 3;
/// As much of a server's own words as is shown.
const WORDS: usize = 300;
const RETRY_PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn open(args: &DocumentArgs) -> Result<Files, String> {
    match args.files.split_once("://") {
        Some(("s3", place)) => bucket(args, place),
        Some((other, _)) => {
            Err(format!("--files: {other}:// is not known; name a folder, or s3://bucket/prefix"))
        }
        None => folder(&args.files),
    }
}

fn folder(name: &str) -> Result<Files, String> {
    if name.is_empty() {
        return Err("--files: name a folder, or s3://bucket/prefix".to_owned());
    }
    std::fs::create_dir_all(name)
        .map_err(|error| format!("--files {name}: the folder cannot be made: {error}"))?;
    let whole = path::absolute(name)
        .and_then(std::fs::canonicalize)
        .map_err(|error| format!("--files {name}: {error}"))?;
    let store = LocalFileSystem::new_with_prefix(&whole)
        .map_err(|error| format!("--files {name}: {error}"))?
        .with_automatic_cleanup(true)
        // As a bucket does: what was answered for survives a power cut.
        .with_fsync(true);
    Ok(Files {
        store: Arc::new(store),
        root: Path::default(),
        folder: Some(whole),
        place: name.to_owned(),
    })
}

fn bucket(args: &DocumentArgs, place: &str) -> Result<Files, String> {
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    if bucket.is_empty() {
        return Err(
            "--files s3:// names no bucket; write s3://bucket or s3://bucket/prefix".to_owned()
        );
    }
    let root = Path::parse(prefix)
        .map_err(|error| format!("--files s3://{place}: the prefix cannot be used: {error}"))?;
    let plain = args.s3_endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
    let client = ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(CONNECT_PATIENCE)
        .with_timeout(REQUEST_PATIENCE);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_PATIENCE,
        ..RetryConfig::default()
    };
    // Without keys, those of the pod's or the machine's own role: where AWS puts them, its own variables say.
    let builder = match &args.s3_access_key_id {
        Some(_) => AmazonS3Builder::new(),
        None => AmazonS3Builder::from_env(),
    };
    let mut builder = builder
        .with_bucket_name(bucket)
        .with_region(&args.s3_region)
        .with_virtual_hosted_style_request(false)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &args.s3_endpoint {
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err("--s3-endpoint must look like https://host:port".to_owned());
        }
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    builder = match (&args.s3_access_key_id, &args.s3_secret_access_key) {
        (Some(id), Some(secret)) => {
            builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret())
        }
        // The machine's own role.
        (None, None) => builder,
        (Some(_), None) => {
            return Err("--s3-secret-access-key is missing beside --s3-access-key-id".to_owned());
        }
        (None, Some(_)) => {
            return Err("--s3-access-key-id is missing beside --s3-secret-access-key".to_owned());
        }
    };
    let store = builder.build().map_err(|error| format!("--files s3://{place}: {error}"))?;
    Ok(Files { store: Arc::new(store), root, folder: None, place: args.files.clone() })
}

/// Why the probe failed, for whoever started the process. A server's own words can be pages of XML: their first line will do.
pub(super) fn words(error: &StoreError) -> String {
    use object_store::Error::{PermissionDenied, Unauthenticated};
    match error {
        StoreError::Missing => "there is no such bucket".to_owned(),
        StoreError::Failed(PermissionDenied { .. } | Unauthenticated { .. }) => {
            "its server refuses us: check --s3-access-key-id, --s3-secret-access-key, --s3-region and what they may do"
                .to_owned()
        }
        StoreError::Failed(_) | StoreError::Folder(_) => {
            crate::error::causes(error).lines().next().unwrap_or_default().chars().take(WORDS).collect()
        }
    }
}

/// A process that was killed in an upload left `name#1` beside where `name` was to be.
pub(super) async fn delete_staged(file: &path::Path) -> Result<(), StoreError> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Ok(());
    };
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let begin = format!("{}#", name.to_string_lossy());
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_name().to_string_lossy().starts_with(&begin) {
            gone(tokio::fs::remove_file(entry.path()).await)?;
        }
    }
    // Not empty, or removed by another: either is fine.
    let _ = tokio::fs::remove_dir(folder).await;
    Ok(())
}

pub(super) async fn delete_folder(folder: &path::Path) -> Result<(), StoreError> {
    gone(tokio::fs::remove_dir_all(folder).await)
}

fn gone(outcome: io::Result<()>) -> Result<(), StoreError> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
