//! SQS, S3 and EventBridge as the walk needs them: in memory, so that thousands of runs take minutes, and with a clock that the walk
//! moves. Spoken to by the SDK over HTTP like the real ones. What the real ones do beyond this is the other tests'.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use testkit::cloud::{Cloud, Pair};

/// A message that lies in a queue.
#[derive(Debug, Clone)]
pub struct Message {
    id: String,
    pub body: String,
    /// Not to be received before the clock has moved this far.
    hidden: Duration,
}

impl Message {
    /// As a batch of its own.
    pub fn batch(&self) -> SqsEvent {
        let mut record = SqsMessage::default();
        record.message_id = Some(self.id.clone());
        record.receipt_handle = Some(self.id.clone());
        record.body = Some(self.body.clone());
        let mut batch = SqsEvent::default();
        batch.records.push(record);
        batch
    }
}

#[derive(Debug, Default)]
struct Inside {
    queues: BTreeMap<String, VecDeque<Message>>,
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    effects: usize,
    ids: usize,
    on_bus: Vec<String>,
}

/// Queues, a bucket and a bus.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Inside>>);

impl Memory {
    /// Starts it; answers how to reach it.
    pub async fn start() -> (Self, Cloud) {
        let memory = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(serve).with_state(memory.clone());
        let app = app.layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let config = elevenwire::aws::config().await.into_builder().endpoint_url(&endpoint).build();
        let (sqs, s3) = (aws_sdk_sqs::Client::new(&config), aws_sdk_s3::Client::new(&config));
        let events = aws_sdk_eventbridge::Client::new(&config);
        let pair = |name: &str| Pair::at(&sqs, &format!("{endpoint}/{name}"));
        let cloud = Cloud {
            calls: pair("calls"),
            trunk_calls: pair("trunk-calls"),
            call_events: pair("call-events"),
            transcriptions: pair("transcriptions"),
            recordings: pair("recordings"),
            imports: pair("imports"),
            exports: pair("exports"),
            sqs: sqs.clone(),
            s3,
            events,
            bus: "bus".to_owned(),
            bucket: "bucket".to_owned(),
        };
        (memory, cloud)
    }

    /// Takes the first message out of a queue that may be received.
    pub fn receive(&self, url: &str) -> Option<Message> {
        let mut inside = self.inside();
        let queue = inside.queues.get_mut(url)?;
        let ready = queue.iter().position(|message| message.hidden.is_zero())?;
        let message = queue.get(ready).cloned();
        // Until it is deleted it is there, hidden.
        queue.get_mut(ready)?.hidden = Duration::from_mins(3);
        message
    }

    /// It was worked off.
    pub fn delete(&self, url: &str, message: &Message) {
        let mut inside = self.inside();
        inside.queues.entry(url.to_owned()).or_default().retain(|other| other.id != message.id);
    }

    /// It is delivered again.
    pub fn deliver_again(&self, url: &str, message: &Message) {
        self.hide(url, &message.id, Duration::ZERO);
    }

    fn hide(&self, url: &str, id: &str, hidden: Duration) {
        let mut inside = self.inside();
        let queue = inside.queues.entry(url.to_owned()).or_default();
        queue.iter_mut().filter(|message| message.id == id).for_each(|message| message.hidden = hidden);
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        for queue in self.inside().queues.values_mut() {
            for message in queue {
                message.hidden = message.hidden.saturating_sub(by);
            }
        }
    }

    /// What lies in the queues, hidden or not, as `queue: body`.
    pub fn left(&self) -> Vec<String> {
        let inside = self.inside();
        let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        inside
            .queues
            .iter()
            .flat_map(|(url, queue)| queue.iter().map(move |message| format!("{}: {}", name(url), message.body)))
            .collect()
    }

    /// Objects below a prefix.
    pub fn objects(&self, prefix: &str) -> BTreeMap<String, Bytes> {
        let inside = self.inside();
        inside.objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Ids of the events that lie on the bus.
    pub fn on_bus(&self) -> Vec<String> {
        self.inside().on_bus.clone()
    }

    fn bus(&self, body: &[u8]) -> Response {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut inside = self.inside();
        inside.effects += 1;
        let mut results = Vec::new();
        for entry in asked["Entries"].as_array().unwrap() {
            let event: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            inside.on_bus.push(event["id"].as_str().unwrap().to_owned());
            results.push(json!({ "EventId": inside.on_bus.len().to_string() }));
        }
        let answer = json!({ "FailedEntryCount": 0, "Entries": results });
        (StatusCode::OK, [("content-type", "application/x-amz-json-1.1")], answer.to_string()).into_response()
    }

    /// How many requests have changed something.
    pub fn effects(&self) -> usize {
        self.inside().effects
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.inside() = Inside::default();
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sqs(&self, target: &str, body: &[u8]) -> Response {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let url = asked["QueueUrl"].as_str().unwrap_or_default();
        self.inside().effects += 1;
        let answer = match target {
            "AmazonSQS.SendMessage" => {
                let mut inside = self.inside();
                inside.ids += 1;
                let id = format!("message-{}", inside.ids);
                let body = asked["MessageBody"].as_str().unwrap_or_default().to_owned();
                let message = Message { id: id.clone(), body, hidden: Duration::ZERO };
                inside.queues.entry(url.to_owned()).or_default().push_back(message);
                json!({ "MessageId": id, "MD5OfMessageBody": "" })
            }
            "AmazonSQS.ChangeMessageVisibility" => {
                let seconds = asked["VisibilityTimeout"].as_u64().unwrap_or_default();
                self.hide(url, asked["ReceiptHandle"].as_str().unwrap_or_default(), Duration::from_secs(seconds));
                json!({})
            }
            other => panic!("the walk's queues know no {other}"),
        };
        (StatusCode::OK, [("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response()
    }

    fn s3(
        &self,
        method: &Method,
        key: &str,
        query: &BTreeMap<String, String>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response {
        let xml = |text: String| (StatusCode::OK, [("content-type", "application/xml")], text).into_response();
        let mut inside = self.inside();
        if method == Method::GET {
            return match inside.objects.get(key) {
                Some(object) => object.clone().into_response(),
                None => missing(),
            };
        }
        inside.effects += 1;
        let upload = query.get("uploadId").cloned();
        match (method, upload) {
            (&Method::PUT, Some(upload)) => {
                let number: u32 = query["partNumber"].parse().unwrap();
                inside.uploads.get_mut(&upload).unwrap().insert(number, body);
                ([("etag", format!("\"{number}\""))], "").into_response()
            }
            (&Method::PUT, None) => {
                let source = headers.get("x-amz-copy-source").map(|source| source.to_str().unwrap().to_owned());
                let copied = source.is_some();
                let object = match source {
                    Some(source) => inside.objects.get(source.split_once('/').unwrap().1).cloned(),
                    None => Some(body),
                };
                let Some(object) = object else { return missing() };
                inside.objects.insert(key.to_owned(), object);
                xml(if copied { "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>" } else { "" }.to_owned())
            }
            (&Method::POST, None) => {
                inside.ids += 1;
                let id = format!("upload-{}", inside.ids);
                inside.uploads.insert(id.clone(), BTreeMap::new());
                xml(format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"))
            }
            (&Method::POST, Some(upload)) => {
                let parts = inside.uploads.remove(&upload).unwrap();
                inside.objects.insert(key.to_owned(), parts.into_values().collect::<Vec<_>>().concat().into());
                xml("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>".to_owned())
            }
            (&Method::DELETE, _) => {
                inside.objects.remove(key);
                StatusCode::NO_CONTENT.into_response()
            }
            other => panic!("the walk's bucket knows no {other:?}"),
        }
    }
}

fn missing() -> Response {
    let text = "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>";
    (StatusCode::NOT_FOUND, [("content-type", "application/xml")], text).into_response()
}

async fn serve(State(memory): State<Memory>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(target) = headers.get("x-amz-target") {
        let target = target.to_str().unwrap();
        return if target == "AWSEvents.PutEvents" { memory.bus(&body) } else { memory.sqs(target, &body) };
    }
    assert!(!headers.contains_key("x-amz-trailer"), "a body in chunks is not understood here");
    let (_, key) = uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    memory.s3(&method, key, &query, &headers, body)
}
