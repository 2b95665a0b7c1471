//! Static files: what a browser gets, may keep, and cannot reach.

use std::path::PathBuf;

use super::*;

async fn get(name: &str, query: Option<&str>, tag: Option<&str>) -> Result<Response, Error> {
    let mut headers = HeaderMap::new();
    if let Some(tag) = tag {
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap());
    }
    serve(Path(name.to_owned()), RawQuery(query.map(ToOwned::to_owned)), headers).await
}

fn text(response: &Response, name: header::HeaderName) -> &str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn a_link_with_its_hash_may_be_kept_for_ever() {
    let link = asset("app.css");
    let (_, query) = link.split_once('?').unwrap();
    let response = get("app.css", Some(query), None).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(text(&response, header::CACHE_CONTROL).contains("immutable"));
    assert_eq!(text(&response, header::CONTENT_TYPE), "text/css; charset=utf-8");
}

#[tokio::test]
async fn a_link_without_or_with_an_old_hash_is_checked_again() {
    for query in [None, Some("v=0123456789abcdef"), Some("x=1")] {
        let response = get("app.js", query, None).await.unwrap();
        assert_eq!(text(&response, header::CACHE_CONTROL), "public, no-cache", "{query:?}");
    }
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let first = get("app.js", None, None).await.unwrap();
    let tag = text(&first, header::ETAG).to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let again = get("app.js", None, Some(&known)).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(text(&again, header::ETAG), tag);
    }
    let other = get("app.js", None, Some("\"other\"")).await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn texts_are_sent_compressed_under_a_tag_of_their_own() {
    let ask = async |name: &str, tag: Option<&HeaderValue>| {
        let mut headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"))]);
        headers.extend(tag.map(|tag| (header::IF_NONE_MATCH, tag.clone())));
        serve(Path(name.to_owned()), RawQuery(None), headers).await.unwrap()
    };
    let plain = get("app.js", None, None).await.unwrap();
    let packed = ask("app.js", None).await;
    assert_eq!(text(&packed, header::CONTENT_ENCODING), "gzip");
    assert_eq!(text(&packed, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    for response in [&plain, &packed] {
        assert_eq!(text(response, header::VARY), "accept-encoding");
    }
    assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    let (plain_tag, tag) =
        (plain.headers()[header::ETAG].clone(), packed.headers()[header::ETAG].clone());
    assert_ne!(plain_tag, tag);
    let again = ask("app.js", Some(&tag)).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(text(&again, header::VARY), "accept-encoding");
    assert_eq!(ask("app.js", Some(&plain_tag)).await.status(), StatusCode::OK);
    let body = axum::body::to_bytes(packed.into_body(), 1 << 20).await.unwrap();
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut unpacked)
        .unwrap();
    assert_eq!(unpacked, FILES.iter().find(|file| file.name == "app.js").unwrap().bytes);
    let font = ask("vendor/pdfjs/fonts/FoxitSymbol.pfb", None).await;
    assert!(!font.headers().contains_key(header::CONTENT_ENCODING));
    assert!(!font.headers().contains_key(header::VARY));
}

#[tokio::test]
async fn no_name_leads_out_of_the_table() {
    for name in ["", "missing", "../Cargo.toml", "/etc/passwd", "app.css/", "vendor", "APP.CSS"] {
        assert!(matches!(get(name, None, None).await, Err(Error::NotFound)), "{name}");
    }
}

#[test]
fn every_file_of_the_folder_is_served_or_is_about_the_others() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("static");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let last = path.file_name().unwrap().to_str().unwrap();
            let about = last.starts_with("LICENSE") || last == "README.md";
            assert_eq!(SERVED.contains_key(name.as_str()), !about, "{name}");
        }
    }
}

#[test]
fn the_vendored_scripts_are_the_ones_that_their_readme_names() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("static/vendor/pdfjs");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let scripts = ["pdf.min.mjs", "pdf.worker.min.mjs"];
    for script in scripts {
        let digest = Sha256::digest(std::fs::read(folder.join(script)).unwrap());
        let sum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(readme.contains(&format!("| {script} | {sum} |")), "{script} is {sum}");
    }
}
