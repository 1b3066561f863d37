//! Objects in S3. Keys are deterministic, so that doing it twice is doing it once.

use std::time::Duration;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{AggregatedBytes, ByteStream};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::crash::{Effect, around};
use crate::retry::Failure;

/// The bucket.
#[derive(Debug, Clone)]
pub struct Blobs {
    client: aws_sdk_s3::Client,
    bucket: String,
}

/// S3 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such object.
    #[error("there is no object {0}")]
    Missing(String),
    /// No answer, or a refusal: worth another try.
    #[error("the bucket did not answer: {0}")]
    Down(String),
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            // A pointer may overtake its object by a moment only if somebody deletes: then waiting is right, and if it
            // never appears, the queue's own limit puts the message aside.
            BlobError::Missing(_) => Self::later(Duration::from_mins(1), error.to_string()),
            BlobError::Down(_) => Self::later(Duration::from_secs(10), error.to_string()),
        }
    }
}

impl Blobs {
    /// The bucket by its name.
    #[must_use]
    pub fn new(client: aws_sdk_s3::Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Stores an object.
    ///
    /// # Errors
    /// When S3 did not take it.
    pub async fn put(&self, key: &str, content_type: &str, body: Bytes) -> Result<(), BlobError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
        around(Effect::Put, put.body(ByteStream::from(body)).send()).await.map(|_| ()).map_err(down)
    }

    /// Begins an object that is too large to be held in memory. Nothing is there until [`Upload::finish`].
    #[must_use]
    pub fn begin(&self, key: &str, content_type: &'static str) -> Upload {
        let (blobs, key) = (self.clone(), key.to_owned());
        Upload { blobs, key, content_type, id: None, parts: Vec::new(), buffer: BytesMut::new() }
    }

    /// Goes on with an object that another run began: `parts` of it are there.
    #[must_use]
    pub fn go_on(&self, key: &str, content_type: &'static str, parts: Parts) -> Upload {
        let made = (1..).zip(parts.etags).map(|(number, etag)| sent_part(number, Some(etag))).collect();
        Upload { id: Some(parts.upload_id), parts: made, ..self.begin(key, content_type) }
    }

    /// Moves an object. Done again after it was done, it says that the old one is missing.
    ///
    /// # Errors
    /// When it is not there, or S3 did not answer.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), BlobError> {
        let source = format!("{}/{from}", self.bucket);
        let copied = self.client.copy_object().bucket(&self.bucket).key(to).copy_source(source).send();
        around(Effect::Copy, copied).await.map_err(down)?;
        let deleted = self.client.delete_object().bucket(&self.bucket).key(from).send();
        around(Effect::Delete, deleted).await.map(|_| ()).map_err(down)
    }

    /// Reads an object whole.
    ///
    /// # Errors
    /// When it is not there, or S3 did not answer.
    pub async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        let body = self.open(key).await?.0.collect().await;
        body.map(AggregatedBytes::into_bytes).map_err(|error| BlobError::Down(error.to_string()))
    }

    /// Opens an object that is read piece by piece, because it may be larger than the memory.
    ///
    /// # Errors
    /// When it is not there, or S3 did not answer.
    pub async fn open(&self, key: &str) -> Result<Download, BlobError> {
        let got = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let object = got.map_err(|error| match &error {
            SdkError::ServiceError(inner) if matches!(inner.err(), GetObjectError::NoSuchKey(_)) => {
                BlobError::Missing(key.to_owned())
            }
            _ => down(error),
        })?;
        Ok(Download(object.body))
    }

    /// An object's size; `None` when there is none. S3 tells whoever may not list the bucket 403 instead of 404.
    ///
    /// # Errors
    /// When S3 did not answer.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => Ok(Some(head.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0))),
            Err(error) if error.raw_response().is_some_and(|raw| matches!(raw.status().as_u16(), 403 | 404)) => {
                Ok(None)
            }
            Err(error) => Err(down(error)),
        }
    }

    /// An address to which anybody who has it may put the object until the time is over; of exactly this size, if it is
    /// given. Made without asking S3.
    ///
    /// # Errors
    /// When there are no credentials to sign with.
    pub async fn link_to_put(&self, key: &str, valid: Duration, bytes: Option<i64>) -> Result<String, BlobError> {
        let valid = PresigningConfig::expires_in(valid).map_err(|error| BlobError::Down(error.to_string()))?;
        let put = self.client.put_object().bucket(&self.bucket).key(key).set_content_length(bytes);
        Ok(put.presigned(valid).await.map_err(down)?.uri().to_owned())
    }

    /// An address at which anybody who has it may read the object until the time is over, as a download of this name.
    ///
    /// # Errors
    /// When there are no credentials to sign with.
    pub async fn link_to_get(&self, key: &str, valid: Duration, filename: &str) -> Result<String, BlobError> {
        let valid = PresigningConfig::expires_in(valid).map_err(|error| BlobError::Down(error.to_string()))?;
        let disposition = format!("attachment; filename=\"{filename}\"");
        let get = self.client.get_object().bucket(&self.bucket).key(key).response_content_disposition(disposition);
        Ok(get.presigned(valid).await.map_err(down)?.uri().to_owned())
    }

    /// Whether the bucket answers, for health.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), BlobError> {
        self.client.list_objects_v2().bucket(&self.bucket).max_keys(1).send().await.map(|_| ()).map_err(down)
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Download(ByteStream);

impl Download {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the answer broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BlobError> {
        self.0.try_next().await.map_err(|error| BlobError::Down(error.to_string()))
    }
}

/// The parts of an object that has not appeared yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// S3's id of the upload.
    pub upload_id: String,
    /// What S3 answered for each part, in their order.
    pub etags: Vec<String>,
}

/// S3 wants parts of at least 5 MB; one part is what is held in memory.
const PART: usize = 8 * 1024 * 1024;

/// An object that is being written part by part. Dropped without [`finish`](Upload::finish), its parts are cleared away by
/// the bucket's own rule for stale uploads.
#[derive(Debug)]
pub struct Upload {
    blobs: Blobs,
    key: String,
    content_type: &'static str,
    id: Option<String>,
    parts: Vec<CompletedPart>,
    buffer: BytesMut,
}

impl Upload {
    /// What is there of it, for another run to go on with; `None` before the first part.
    #[must_use]
    pub fn parts(&self) -> Option<Parts> {
        let etags = self.parts.iter().map(|part| part.e_tag().unwrap_or_default().to_owned()).collect();
        self.id.clone().map(|upload_id| Parts { upload_id, etags })
    }

    /// Sends a part of the caller's own making, of at least 5 MB: then [`parts`](Self::parts) ends where the caller says.
    ///
    /// # Errors
    /// When S3 did not take it; [`BlobError::Missing`] when there is no such upload any more.
    pub async fn part(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.send(bytes).await
    }

    /// Adds bytes; sends a part when there is enough for one.
    ///
    /// # Errors
    /// When S3 did not take it.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= PART {
            let part = self.buffer.split_to(PART).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    /// Makes the object appear.
    ///
    /// # Errors
    /// When S3 did not take it; [`BlobError::Missing`] when there is no such upload any more.
    pub async fn finish(mut self) -> Result<(), BlobError> {
        let rest = std::mem::take(&mut self.buffer).freeze();
        if self.id.is_none() {
            return self.blobs.put(&self.key, self.content_type, rest).await;
        }
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let done = self.blobs.client.complete_multipart_upload().bucket(&self.blobs.bucket).key(&self.key);
        let done = done.set_upload_id(self.id.take()).multipart_upload(parts).send();
        around(Effect::UploadEnd, done).await.map(|_| ()).map_err(|error| lost(&self.key, error))
    }

    async fn send(&mut self, part: Bytes) -> Result<(), BlobError> {
        let client = &self.blobs.client;
        if self.id.is_none() {
            let begun = client.create_multipart_upload().bucket(&self.blobs.bucket).key(&self.key);
            let begun =
                around(Effect::UploadBegin, begun.content_type(self.content_type).send()).await.map_err(down)?;
            self.id = begun.upload_id().map(str::to_owned);
        }
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let sent = client.upload_part().bucket(&self.blobs.bucket).key(&self.key).part_number(number);
        let sent = sent.set_upload_id(self.id.clone()).body(ByteStream::from(part)).send();
        let sent = around(Effect::Part, sent).await.map_err(|error| lost(&self.key, error))?;
        self.parts.push(sent_part(number, sent.e_tag().map(str::to_owned)));
        Ok(())
    }
}

/// An upload that S3 does not know, or whose parts are not those that it has, cannot be gone on with.
fn lost<E, R>(key: &str, error: SdkError<E, R>) -> BlobError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    match error.code() {
        Some("NoSuchUpload" | "InvalidPart" | "InvalidPartOrder") => BlobError::Missing(key.to_owned()),
        _ => down(error),
    }
}

fn sent_part(number: i32, etag: Option<String>) -> CompletedPart {
    CompletedPart::builder().part_number(number).set_e_tag(etag).build()
}

fn down<E, R>(error: SdkError<E, R>) -> BlobError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
    SdkError<E, R>: std::error::Error,
{
    BlobError::Down(DisplayErrorContext(error).to_string())
}
