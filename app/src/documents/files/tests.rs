//! The store as a folder, for real; the flags of a bucket.

use clap::{Args as _, FromArgMatches};
use futures::stream;

use super::*;

fn args(flags: &[&str]) -> DocumentArgs {
    let command = DocumentArgs::augment_args(clap::Command::new("files"));
    let matches = command.get_matches_from([&["files"], flags].concat());
    DocumentArgs::from_arg_matches(&matches).unwrap()
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn files() -> (Folder, Files) {
    let folder = Folder(std::env::temp_dir().join(format!("tenantry-files-{}", Uuid::new_v4())));
    let files =
        Files::new(&args(&["--files", folder.0.join("deep/down").to_str().unwrap()])).unwrap();
    (folder, files)
}

fn chunks(count: usize, size: usize) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::iter(
        (0..count)
            .map(move |number| Ok(Bytes::from(vec![u8::try_from(number % 251).unwrap(); size]))),
    )
}

async fn bytes(blob: Blob) -> Vec<u8> {
    blob.chunks
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .unwrap()
}

/// Every file below the folder, hidden pieces of uploads included.
fn names(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(names(&entry.path()));
        } else {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test]
async fn what_goes_in_comes_out_whole_and_in_ranges() {
    let (_folder, files) = files();
    files.check().await.unwrap();
    for (key, count) in [("tenants/a/b/small.pdf", 3), ("tenants/a/c/large.pdf", 120)] {
        files.put_stream(key, chunks(count, 100_000)).await.unwrap();
        let whole = bytes(files.get(key).await.unwrap()).await;
        assert_eq!((whole.len(), whole[99_999], whole[100_000]), (count * 100_000, 0, 1));
        let part = files.get_range(key, 99_999..100_001).await.unwrap();
        assert_eq!(bytes(part).await, [0, 1]);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_nothing() {
    let (folder, files) = files();
    for count in [1, 120] {
        let broken = stream::once(async { Err(StoreError::Missing) });
        let outcome =
            files.put_stream("tenants/a/b/file.pdf", chunks(count, 100_000).chain(broken)).await;
        assert!(outcome.is_err());
        assert_eq!(names(&folder.0), [""; 0], "after {count} chunks");
    }
}

#[tokio::test]
async fn deleting_what_is_missing_is_fine_and_pieces_go_too() {
    let (folder, files) = files();
    files.delete("tenants/a/b/none.pdf").await.unwrap();
    files.delete_prefix("tenants/none/").await.unwrap();
    files.put_stream("tenants/a/b/file.pdf", chunks(1, 10)).await.unwrap();
    files.put_stream("tenants/a/c/file.pdf", chunks(1, 10)).await.unwrap();
    files.put_stream("tenants/ab/c/file.pdf", chunks(1, 10)).await.unwrap();
    std::fs::write(folder.0.join("deep/down/tenants/a/b/file.pdf#1"), "piece").unwrap();
    files.delete("tenants/a/b/file.pdf").await.unwrap();
    assert!(matches!(files.get("tenants/a/b/file.pdf").await, Err(StoreError::Missing)));
    assert_eq!(names(&folder.0).len(), 2, "neither the file nor the piece");
    files.delete_prefix("tenants/a/").await.unwrap();
    assert_eq!(
        names(&folder.0.join("deep/down/tenants/ab")),
        ["file.pdf"],
        "another tenant's stays"
    );
    assert_eq!(names(&folder.0).len(), 1);
}

#[tokio::test]
async fn no_key_leaves_the_folder() {
    let (folder, files) = files();
    files.put_stream("../../../outside.pdf", chunks(1, 10)).await.unwrap();
    assert_eq!(names(&folder.0.join("deep/down")), ["outside.pdf"]);
}

#[test]
fn flags_that_cannot_work_are_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let s3 = ["--files", "s3://bucket/some/prefix"];
    let cases: [(&[&str], &str); 7] = [
        (&["--files", "gs://bucket"], "--files: gs://"),
        (&["--files", ""], "--files: name a folder"),
        (&["--files", "/proc/nothing"], "--files /proc/nothing"),
        (&["--files", "s3://"], "names no bucket"),
        (&["--files", "s3://bucket/a//b"], "prefix"),
        (&[s3[0], s3[1], "--s3-access-key-id", "id"], "--s3-secret-access-key is missing"),
        (&[s3[0], s3[1], "--s3-endpoint", "ftp://host"], "--s3-endpoint"),
    ];
    for (flags, words) in cases {
        let error = Files::new(&args(flags)).unwrap_err();
        assert!(error.contains(words), "{flags:?}: {error}");
    }
    let keys = [
        "--s3-access-key-id",
        "id",
        "--s3-secret-access-key",
        "hidden-key",
        "--s3-endpoint",
        "http://127.0.0.1:1",
    ];
    let files = Files::new(&args(&[&s3[..], &keys].concat())).unwrap();
    assert!(!format!("{files:?}").contains("hidden-key"));
}

#[tokio::test]
async fn a_store_that_does_not_let_us_write_is_named_at_the_start() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let flags = [
        "--files",
        "s3://bucket",
        "--s3-access-key-id",
        "id",
        "--s3-secret-access-key",
        "key",
        "--s3-endpoint",
    ];
    let files = Files::new(&args(&[&flags[..], &[&endpoint]].concat())).unwrap();
    let words = files.check().await.unwrap_err();
    assert!(words.starts_with("--files s3://bucket cannot be written to"), "{words}");
}
