//! The file store: a folder, or a bucket behind S3's protocol.
//!
//! In: keys that this app made, and streams of bytes. Out: streams of bytes. A file is there whole or not at all; what is
//! missing counts as deleted. Nothing here knows a document or a person.

mod open;
#[cfg(test)]
mod tests;

use std::{ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, GetResult, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut, WriteMultipart,
    path::Path,
};
use uuid::Uuid;

use crate::args::DocumentArgs;

/// S3 takes no smaller part, but for the last. A file up to this size is stored by one request.
const PART: usize = 5 * 1024 * 1024;
/// Parts of one file that are on their way at the same time.
const PARTS: usize = 2;

/// Why the file store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file of that key.
    #[error("the file is not in the store")]
    Missing,
    /// It does not answer, or refuses.
    #[error("the file store failed: {0}")]
    Failed(#[source] object_store::Error),
    /// The folder cannot be changed.
    #[error("the folder of files failed: {0}")]
    Folder(#[from] std::io::Error),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path: _, source: _ } => Self::Missing,
            other => Self::Failed(other),
        }
    }
}

/// Where files are kept; clones are the same store.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// Where the store is a folder: this one.
    folder: Option<PathBuf>,
    /// What the flag says, for messages.
    place: String,
}

/// A file's bytes, or a range of them.
pub struct Blob {
    /// The bytes themselves.
    pub chunks: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Files {
    /// Opens the store; a folder is made where it is missing.
    ///
    /// # Errors
    /// Text that names the flag.
    pub fn new(args: &DocumentArgs) -> Result<Self, String> {
        open::open(args)
    }

    /// Writes a file and deletes it: to be done at the start.
    ///
    /// # Errors
    /// Text that names the flag and says what went wrong.
    pub async fn check(&self) -> Result<(), String> {
        let key = format!("probe/{}", Uuid::new_v4());
        let probe = async {
            self.put_stream(
                &key,
                futures::stream::iter([Ok::<_, StoreError>(Bytes::from_static(b"probe"))]),
            )
            .await?;
            self.delete(&key).await
        };
        let place = &self.place;
        match tokio::time::timeout(open::PROBE_PATIENCE, probe).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(format!("--files {place} cannot be written to: {}", open::words(&error)))
            }
            Err(_) => Err(format!(
                "--files {place} did not answer within {} s: are --files and --s3-endpoint right?",
                open::PROBE_PATIENCE.as_secs()
            )),
        }
    }

    /// Stores what comes, as it comes. Where the stream or the store fails, nothing is left in the store.
    ///
    /// # Errors
    /// The stream's own error, or the store's.
    pub async fn put_stream<E: From<StoreError>>(
        &self,
        key: &str,
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), E> {
        futures::pin_mut!(chunks);
        let mut first = PutPayloadMut::new();
        while let Some(chunk) = chunks.try_next().await? {
            first.push(chunk);
            if first.content_length() >= PART {
                return self.put_parts(key, first.into(), chunks).await;
            }
        }
        self.store.put(&self.path(key), first.into()).await.map_err(StoreError::from)?;
        Ok(())
    }

    async fn put_parts<E: From<StoreError>>(
        &self,
        key: &str,
        first: PutPayload,
        mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), E> {
        let upload = self.store.put_multipart(&self.path(key)).await.map_err(StoreError::from)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        first.into_iter().for_each(|chunk| writer.put(chunk));
        let copied = async {
            while let Some(chunk) = chunks.try_next().await? {
                writer.wait_for_capacity(PARTS).await.map_err(StoreError::from)?;
                writer.put(chunk);
            }
            Ok(())
        };
        match copied.await {
            Ok(()) => {
                writer.finish().await.map_err(StoreError::from)?;
                Ok(())
            }
            Err(error) => {
                if let Err(abort) = writer.abort().await {
                    tracing::warn!(key, error = %abort, "the parts of a broken upload are left in the file store");
                }
                Err(error)
            }
        }
    }

    /// A whole file.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store's failure.
    pub async fn get(&self, key: &str) -> Result<Blob, StoreError> {
        Ok(self.store.get(&self.path(key)).await?.into())
    }

    /// A part of a file.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store's failure.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Blob, StoreError> {
        let options = GetOptions::new().with_range(Some(range));
        Ok(self.store.get_opts(&self.path(key), options).await?.into())
    }

    /// Deletes a file, and what a crash left of its upload. Missing is deleted.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.store.delete(&self.path(key)).await.map_err(StoreError::from) {
            Ok(()) | Err(StoreError::Missing) => {}
            Err(error) => return Err(error),
        }
        match &self.folder {
            Some(folder) => open::delete_staged(&folder.join(key)).await,
            None => Ok(()),
        }
    }

    /// Deletes everything whose key begins with this path.
    ///
    /// # Errors
    /// When the store does not answer; what was deleted stays deleted.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            return open::delete_folder(&folder.join(prefix)).await;
        }
        let keys = self.store.list(Some(&self.path(prefix))).map_ok(|object| object.location);
        let mut deleted = self.store.delete_stream(keys.boxed());
        while let Some(outcome) = deleted.next().await {
            match outcome.map_err(StoreError::from) {
                Ok(_) | Err(StoreError::Missing) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn path(&self, key: &str) -> Path {
        // Parts are escaped one by one, so no key leaves the root.
        let parts = key.split('/').filter(|part| !part.is_empty());
        parts.fold(self.root.clone(), |path, part| path.join(part))
    }
}

impl From<GetResult> for Blob {
    fn from(found: GetResult) -> Self {
        Self { chunks: found.into_stream().map_err(StoreError::from).boxed() }
    }
}
