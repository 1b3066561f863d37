//! Answers that are put together from others, and words of parameters, for the description of the API.

use elevenwire::cost::Spend;
use elevenwire::guard::{Place, Reason, Stale};
use elevenwire::queue::Letter;
use elevenwire::store::agents::Agent;
use elevenwire::store::campaigns::{Campaign, Progress};
use elevenwire::store::endpoints::Endpoint;
use elevenwire::store::exports::Export;
use elevenwire::store::imports::Import;
use elevenwire::store::outbox::Undelivered;
use elevenwire::store::reading::shapes::{Call, Contact, Conversation, Delivery};
use elevenwire::store::stops::Stop;
use elevenwire::store::suppressions::{Review, Step, Suppressed};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct Calls {
    /// The entries.
    pub calls: Vec<Call>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// Dead letters of every queue that has any.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetters {
    /// The queues.
    pub queues: Vec<DeadQueue>,
}

/// Dead letters of a queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadQueue {
    /// Its name.
    pub queue: String,
    /// How many there are, as SQS counts: approximately.
    pub count: u64,
    /// Ten of them at most.
    pub letters: Vec<Letter>,
}

/// What went back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redriven {
    /// Messages.
    pub sent: u64,
}

/// Where events are sent to.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventEndpoints {
    /// The entries.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointWithSecret {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// `whsec_…`, shown this once.
    pub secret: String,
}

/// What is due again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redelivered {
    /// Events.
    pub due: u64,
}

/// An event that was made to test an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestEvent {
    /// Its id.
    pub event_id: String,
}

/// Events that an endpoint does not have.
#[derive(Debug, Serialize, ToSchema)]
pub struct Undelivereds {
    /// The entries.
    pub events: Vec<Undelivered>,
}

/// A page of exports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Exports {
    /// The entries.
    pub exports: Vec<Export>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// An export with the link to its file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportWithLink {
    /// The export.
    #[serde(flatten)]
    pub export: Export,
    /// Needs no token; null until it is done, and when the file is gone.
    pub url: Option<String>,
    /// When the link ends.
    pub valid_until: Option<Timestamp>,
}

/// A page of agents.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agents {
    /// The entries.
    pub agents: Vec<Agent>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of campaigns.
#[derive(Debug, Serialize, ToSchema)]
pub struct Campaigns {
    /// The entries.
    pub campaigns: Vec<Campaign>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contacts {
    /// The entries.
    pub contacts: Vec<Contact>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversations {
    /// The entries.
    pub conversations: Vec<Conversation>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deliveries {
    /// The entries.
    pub deliveries: Vec<Delivery>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of imports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imports {
    /// The entries.
    pub imports: Vec<Import>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of stops.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stops {
    /// The entries.
    pub stops: Vec<Stop>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of doubtful opt-outs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reviews {
    /// The entries.
    pub reviews: Vec<Review>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A page of suppressed numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suppressions {
    /// The entries.
    pub suppressions: Vec<Suppressed>,
    /// How it came to that; of one number.
    pub history: Option<Vec<Step>>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// Where a recording is.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordingLink {
    /// A link that needs no token.
    pub url: String,
    /// How long the link works.
    pub valid_until: Timestamp,
    /// Its type.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: Option<i64>,
    /// Its digest, hex.
    pub sha256: Option<String>,
    /// Its length.
    pub duration_secs: Option<f64>,
}

/// How a recording is answered.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingFormat {
    /// A redirect.
    Redirect,
    /// The address as JSON.
    Json,
}

/// How a dossier is answered.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DossierFormat {
    /// For programs.
    Json,
    /// To be printed.
    Text,
}

/// Which doubtful opt-outs.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// Those that wait for somebody.
    Open,
    /// All.
    All,
}

/// A campaign, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignView {
    /// The thing itself.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// How far it is; of one campaign only, not in a list, as the next.
    pub progress: Option<Progress>,
    /// What it costs.
    pub cost: Option<Spend>,
}

/// Why, if somebody says.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// Shown with the campaign.
    #[schema(max_length = 500, example = "the list was wrong")]
    pub reason: Option<String>,
}

/// Where a file is put.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// How.
    pub method: String,
    /// Where.
    pub url: String,
    /// Until when it must have begun.
    pub expires_at: Timestamp,
    /// What to ask for afterwards.
    pub then: String,
}

/// An import that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportMade {
    /// The thing itself.
    #[serde(flatten)]
    pub import: Import,
    /// Where its file is put, if it was not sent.
    pub upload: Option<Upload>,
}

/// An import, with a link.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportView {
    /// The thing itself.
    #[serde(flatten)]
    pub import: Import,
    /// A CSV of the rows that were not taken.
    pub bad_rows_url: Option<String>,
}

/// What the guard says.
#[derive(Debug, Serialize, ToSchema)]
pub struct GuardAnswer {
    /// `allow`, `defer` or `block`.
    pub decision: String,
    /// Until when it is allowed, or when to ask again.
    pub until: Option<Timestamp>,
    /// The rules that stand in the way.
    pub because: Vec<Reason>,
    /// Zones in all of which it must be lawful.
    pub zones: Vec<String>,
    /// Where the number may ring.
    pub place: Place,
    /// What was not said, and so not checked.
    pub not_checked: Vec<String>,
    /// It is one of the owner's.
    pub own_number: bool,
    /// By which rules.
    pub rules_version: String,
    /// Rules that were read too long ago.
    pub stale_rules: Vec<Stale>,
}

/// A stop, and what it reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// The thing itself.
    #[serde(flatten)]
    pub stop: Stop,
    /// Calls that are taken back.
    pub taken_back: u64,
    /// Calls that are ended.
    pub hung_up: u64,
}

/// A row that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct BadRow {
    /// Line of the file; of JSON the place in the list.
    pub line: u64,
    /// Its column.
    pub column: String,
    /// Why.
    pub reason: String,
}

/// What became of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListReport {
    /// Rows with a number.
    pub taken: u64,
    /// … that was not suppressed yet.
    pub added: u64,
    /// … that was.
    pub known_before: u64,
    /// Rows without.
    pub bad: u64,
    /// The first thousand of them.
    pub bad_rows: Vec<BadRow>,
}

/// A number, or an object with `number` and `reason`. What is neither is told as a bad row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = Value, example = json!({"number": "+14155550123", "reason": "asked by mail"}))]
pub struct ListEntry(pub serde_json::Value);

/// What was decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decided {
    /// The review.
    pub review: Review,
    /// The number is not called.
    pub suppressed: bool,
}
