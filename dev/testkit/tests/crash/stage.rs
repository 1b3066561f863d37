//! Where functions run, are traced, and die.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use elevenwire::crash::{self, Point};
use serde_json::Value;
use testkit::lines::Line;

/// One run of a function: what it was for, and the how-manieth of these it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    pub of: String,
    pub nth: usize,
}

/// Where one is to die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub turn: Turn,
    pub index: usize,
    pub point: Point,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (run {}), step {}: {}", self.turn.of, self.turn.nth, self.index + 1, self.point)
    }
}

#[derive(Debug, Default)]
struct Inside {
    mark: Option<Mark>,
    turns: BTreeMap<String, usize>,
    traces: BTreeMap<Turn, Vec<Point>>,
    died: Option<Mark>,
}

/// All runs of one course of events.
#[derive(Debug, Clone, Default)]
pub struct Stage(Arc<Mutex<Inside>>);

impl Stage {
    /// A new course, in which one run is to die at `mark`.
    pub fn clear(&self, mark: Option<Mark>) {
        *self.inside() = Inside { mark, ..Inside::default() };
    }

    /// What was passed, run by run.
    pub fn traces(&self) -> BTreeMap<Turn, Vec<Point>> {
        self.inside().traces.clone()
    }

    /// Where one died.
    pub fn died(&self) -> Option<Mark> {
        self.inside().died.clone()
    }

    /// Lets a function run; there is no output when it died.
    pub async fn run<F: Future>(&self, of: &str, work: F) -> Option<F::Output> {
        let (turn, stop_at) = {
            let mut inside = self.inside();
            let nth = inside.turns.entry(of.to_owned()).or_default();
            *nth += 1;
            let turn = Turn { of: of.to_owned(), nth: *nth };
            let stop_at = inside.mark.as_ref().filter(|mark| mark.turn == turn).map(|mark| mark.index);
            (turn, stop_at)
        };
        let (passed, output) = crash::run(stop_at, work).await;
        let mut inside = self.inside();
        if output.is_none() {
            let index = passed.len() - 1;
            inside.died = Some(Mark { turn: turn.clone(), index, point: passed[index] });
        }
        inside.traces.insert(turn, passed);
        output
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the stage before the doors: a request whose function died gets what API Gateway answers then.
    pub fn before(&self, doors: Router) -> Router {
        doors.layer(from_fn_with_state(self.clone(), pass))
    }
}

async fn pass(State(stage): State<Stage>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let of = request_for(parts.uri.path(), &body);
    let request = Request::from_parts(parts, Body::from(body));
    let answer = stage.run(&of, next.run(request)).await;
    answer.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// What a request is for, so that the same run is found again whatever came before it.
fn request_for(path: &str, body: &Bytes) -> String {
    match path.strip_prefix("/api/").unwrap_or_default() {
        "calls" => "initiate-call".to_owned(),
        "webhooks/elevenlabs/initiation" => "personalize-call".to_owned(),
        "webhooks/elevenlabs" => format!("elevenlabs-webhook {}", word(&json(body), "type")),
        path => match path.strip_prefix("webhooks/signalwire/").and_then(|rest| rest.split_once('/')) {
            Some((route, _)) => {
                let fields: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
                let status = fields.get("CallStatus").map_or("-", String::as_str);
                format!("signalwire-webhook {route} {status}")
            }
            None => "api".to_owned(),
        },
    }
}

/// What a message is for.
pub fn message_for(line: Line, body: &str) -> String {
    let message = json(&Bytes::from(body.to_owned()));
    let kind = word(&message, "kind");
    match line {
        Line::Calls => format!("place-call {kind}"),
        Line::CallEvents => {
            let status = word(&message["fields"], "CallStatus");
            format!("call-status {kind} {} {status}", word(&message, "route"))
        }
        Line::Transcriptions => format!("transcription-webhook {}", word(&message, "event_type")),
        Line::Recordings => format!("audio-webhook {kind}"),
        Line::TrunkCalls => format!("place-trunk-call {kind}"),
        Line::Imports => "import-contacts".to_owned(),
        Line::Exports => "export-records".to_owned(),
    }
}

fn json(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("-").to_owned()
}
