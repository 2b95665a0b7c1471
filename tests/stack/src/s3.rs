//! An S3-compatible server as a part of the stack: versitygw over a folder, with signatures that are really checked.
//!
//! In: the built program, a run. Out: where it is, keys, a bucket. Buckets are folders under its root, so the one here is made before
//! it starts; what it knows about objects lies beside them, because not every file system has extended attributes.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::{Child, poll};
use crate::run::{Run, Stop};
use crate::{install, paths, ports};

const PATIENCE: Duration = Duration::from_secs(20);
const BUCKET: &str = "files";

/// A running server with one bucket.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `http://127.0.0.1:…`
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: &'static str,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The bucket, empty at first.
    pub bucket: &'static str,
    /// The process.
    pub process: Child,
}

/// Starts a server and waits until it accepts connections.
pub(crate) fn start(run: &Run) -> Result<S3> {
    let program = install::go_program("versitygw")?;
    let name = format!("s3-{}", paths::random_hex(4)?);
    let (data, meta) =
        (run.subfolder(&format!("{name}/data"))?, run.subfolder(&format!("{name}/meta"))?);
    fs::create_dir(data.join(BUCKET))?;
    let (access_key, secret_key) = (paths::random_hex(10)?, paths::random_hex(20)?);
    ports::until_free(|| {
        let port = ports::free()?;
        let mut command = Command::new(&program);
        command.env("ROOT_ACCESS_KEY_ID", &access_key).env("ROOT_SECRET_ACCESS_KEY", &secret_key);
        command.args(["--port", &format!("127.0.0.1:{port}"), "--keep-alive", "posix"]);
        command.arg("--sidecar").arg(&meta).arg(&data);
        let process = run.spawn("s3", &command, None, Stop::Kill)?;
        process.wait_for_log(&format!("http://127.0.0.1:{port}"), PATIENCE)?;
        poll(PATIENCE, || (!process.is_running() || ports::answers(port)).then_some(()))
            .filter(|()| process.is_running())
            .with_context(|| format!("{}\n{}", process.epitaph(), process.last_lines(20)))?;
        Ok(S3 {
            endpoint: format!("http://127.0.0.1:{port}"),
            region: "us-east-1",
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            bucket: BUCKET,
            process,
        })
    })
}

impl S3 {
    /// Makes `app` (from `Stack::app`) keep its files here.
    pub fn configure(&self, app: &mut Command) {
        app.env("FILES", format!("s3://{}/app", self.bucket)).env("S3_ENDPOINT", &self.endpoint);
        app.env("S3_REGION", self.region).env("S3_ACCESS_KEY_ID", &self.access_key);
        app.env("S3_SECRET_ACCESS_KEY", &self.secret_key);
    }
}
