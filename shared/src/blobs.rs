//! Objects in S3. Keys are deterministic, so that doing it twice is doing it once.

use std::time::Duration;

use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

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
        put.body(ByteStream::from(body)).send().await.map(|_| ()).map_err(down)
    }

    /// Reads an object whole.
    ///
    /// # Errors
    /// When it is not there, or S3 did not answer.
    pub async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        let got = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let object = got.map_err(|error| match &error {
            SdkError::ServiceError(inner) if matches!(inner.err(), GetObjectError::NoSuchKey(_)) => {
                BlobError::Missing(key.to_owned())
            }
            _ => down(error),
        })?;
        let body = object.body.collect().await.map_err(|error| BlobError::Down(error.to_string()))?;
        Ok(body.into_bytes())
    }

    /// Whether the bucket answers, for health.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), BlobError> {
        self.client.list_objects_v2().bucket(&self.bucket).max_keys(1).send().await.map(|_| ()).map_err(down)
    }
}

fn down<E, R>(error: SdkError<E, R>) -> BlobError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
    SdkError<E, R>: std::error::Error,
{
    BlobError::Down(DisplayErrorContext(error).to_string())
}
