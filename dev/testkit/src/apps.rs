//! The handlers of all functions, as one process has them.

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use elevenwire::auth::Tokens;
use elevenwire::dialling::Dialling;
use elevenwire::elevenlabs::outbound::Trunk;
use elevenwire::events::bus::Bus;
use elevenwire::events::endpoint::Poster;
use elevenwire::queue::Queue;
use elevenwire::signalwire::space::SpaceUrl;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{elevenlabs, signalwire};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::Simulator;

use crate::cloud::Cloud;
use crate::database::Database;
use crate::world::{CALL_TOKEN, Clock, INITIATION_SECRET, READ_TOKEN, TOKEN};

/// The handlers of all functions.
pub(crate) struct Apps {
    pub(crate) clock: Clock,
    pub(crate) initiate: initiate_call::App,
    pub(crate) place: place_call::App,
    pub(crate) place_trunk: place_trunk_call::App,
    pub(crate) signalwire: signalwire_webhook::App,
    pub(crate) personalize: personalize_call::App,
    pub(crate) status: call_status::App,
    pub(crate) elevenlabs: elevenlabs_webhook::App,
    pub(crate) transcription: transcription_webhook::App,
    pub(crate) audio: audio_webhook::App,
    pub(crate) reconcile: reconcile::App,
    pub(crate) trigger: campaign_trigger::App,
    pub(crate) other_trigger: campaign_trigger::App,
    pub(crate) health: health::App,
    pub(crate) health_with_canary: health::App,
    pub(crate) import: import_contacts::App,
    pub(crate) publish: publish_events::App,
    pub(crate) other_publish: publish_events::App,
    pub(crate) publish_to_bus: publish_events::App,
    pub(crate) export: export_records::App,
    pub(crate) api: Router,
    /// The metrics of every invocation, as they would be written out.
    pub(crate) told: Mutex<Vec<Value>>,
}

impl Apps {
    /// Does an invocation's work, and keeps its metrics.
    pub(crate) async fn invocation<T>(&self, function: &'static str, work: impl Future<Output = T>) -> T {
        let watch = Watch::new(&format!("world-{function}"), function, Timestamp::now);
        let (done, document) = watch.measured(Box::pin(work)).await;
        self.told.lock().unwrap().push(document);
        done
    }
}

/// All of them, in a world of its own.
pub(crate) fn build(
    clock: &Clock,
    database: &Database,
    cloud: &Cloud,
    vendors: &Simulator,
    url: &str,
    dialling: &Dialling,
) -> Apps {
    let known = vendors.config();
    let token = |name: &str, token: &str| format!("{name}:{}", hex::encode(Sha256::digest(token)));
    let tokens = [token("test:admin", TOKEN), token("caller:call", CALL_TOKEN), token("reader:read", READ_TOKEN)];
    let tokens = Tokens::parse(&tokens.join(",")).unwrap();
    let timeout = Duration::from_secs(5);
    let carrier = || {
        let space = SpaceUrl::parse(&vendors.url()).unwrap();
        signalwire::client::Client::new(space, known.project_id.clone(), known.api_token.clone().into(), timeout)
            .unwrap()
    };
    let agents = || {
        let http = elevenwire::http::client(timeout).unwrap();
        elevenlabs::client::Client::new(http, &vendors.url(), known.elevenlabs_api_key.clone().into()).unwrap()
    };
    let health = |has_canary| health::App {
        store: database.store(),
        tokens: tokens.clone(),
        blobs: cloud.blobs(),
        carrier: carrier(),
        elevenlabs: agents(),
        queues: queues(cloud),
        addresses_limited: false,
        schedules: cloud.schedules(),
        has_canary,
    };
    Apps {
        clock: clock.clone(),
        initiate: initiate_call::App {
            store: database.store(),
            tokens: tokens.clone(),
            calls: cloud.calls.queue(),
            trunk_calls: cloud.trunk_calls.queue(),
            ring_timeout_secs: 60,
            public_base_url: url.to_owned(),
            dialling: dialling.clone(),
        },
        place: place_call::App {
            store: database.store(),
            carrier: carrier(),
            public_base_url: url.to_owned(),
            max_retries: 3,
            retry_delay: Duration::from_secs(1),
            dialling: dialling.clone(),
        },
        place_trunk: place_trunk_call::App {
            store: database.store(),
            trunk: Trunk::new(&vendors.url(), known.elevenlabs_api_key.clone().into()).unwrap(),
            answer_takes: Duration::ZERO,
            max_retries: 3,
            retry_delay: Duration::from_secs(1),
            dialling: dialling.clone(),
        },
        signalwire: signalwire_webhook::App {
            verifier: signalwire::signature::Verifier::new(vec![known.signing_key.clone().into()], url),
            public_base_url: url.to_owned(),
            call_events: cloud.call_events.queue(),
            sip_host: "sip.rtc.elevenlabs.io:5061".to_owned(),
        },
        personalize: personalize_call::App { store: database.store(), secrets: vec![INITIATION_SECRET.into()] },
        status: call_status::App { store: database.store(), calls: cloud.calls.queue() },
        elevenlabs: elevenlabs_webhook::App {
            allowed: elevenlabs_webhook::Allowed::default(),
            verifier: elevenlabs::signature::Verifier::new(vec![known.webhook_secret.clone().into()]),
            blobs: cloud.blobs(),
            transcriptions: cloud.transcriptions.queue(),
            recordings: cloud.recordings.queue(),
            call_events: cloud.call_events.queue(),
        },
        transcription: transcription_webhook::App {
            store: database.store(),
            blobs: cloud.blobs(),
            elevenlabs: agents(),
            opt_out: elevenwire::opt_out::Rules::default(),
        },
        audio: audio_webhook::App { store: database.store(), blobs: cloud.blobs(), elevenlabs: agents() },
        reconcile: reconcile::App {
            store: database.store(),
            blobs: cloud.blobs(),
            carrier: carrier(),
            elevenlabs: agents(),
            calls: cloud.calls.queue(),
            transcriptions: cloud.transcriptions.queue(),
            recordings: cloud.recordings.queue(),
            imports: cloud.imports.queue(),
            exports: cloud.exports.queue(),
            public_base_url: url.to_owned(),
            may_mend_webhook: false,
        },
        trigger: trigger(database, cloud, dialling),
        other_trigger: trigger(database, cloud, dialling),
        health: health(false),
        health_with_canary: health(true),
        import: import_contacts::App { store: database.store(), blobs: cloud.blobs(), dialling: dialling.clone() },
        publish: publisher(clock.clone(), database, None),
        other_publish: publisher(clock.clone(), database, None),
        publish_to_bus: publisher(clock.clone(), database, Some(cloud.bus())),
        export: export_records::App { store: database.store(), blobs: cloud.blobs() },
        api: api::router(api(clock.clone(), database, cloud, tokens.clone(), dialling)),
        told: Mutex::default(),
    }
}

fn trigger(database: &Database, cloud: &Cloud, dialling: &Dialling) -> campaign_trigger::App {
    campaign_trigger::App {
        store: database.store(),
        calls: cloud.calls.queue(),
        trunk_calls: cloud.trunk_calls.queue(),
        dialling: dialling.clone(),
        schedules: cloud.schedules(),
        ring_timeout_secs: 60,
        draw: Box::new(rand::random),
    }
}

/// Its listeners are on this machine.
fn publisher(clock: Clock, database: &Database, bus: Option<Bus>) -> publish_events::App {
    publish_events::App {
        store: database.store(),
        poster: Poster::new(true).unwrap(),
        bus,
        draw: Box::new(rand::random),
        jitter: Box::new(|| 0.5),
        now: Box::new(move || clock.now()),
    }
}

fn api(clock: Clock, database: &Database, cloud: &Cloud, tokens: Tokens, dialling: &Dialling) -> api::App {
    api::App {
        store: database.store(),
        tokens,
        blobs: cloud.blobs(),
        imports: cloud.imports.queue(),
        exports: cloud.exports.queue(),
        queues: queues(cloud),
        calls: cloud.calls.queue(),
        dialling: dialling.clone(),
        ring_timeout_secs: 60,
        draw: Box::new(rand::random),
        now: Box::new(move || clock.now()),
    }
}

fn queues(cloud: &Cloud) -> Vec<(&'static str, Queue)> {
    vec![
        ("calls", cloud.calls.queue()),
        ("trunk-calls", cloud.trunk_calls.queue()),
        ("call-events", cloud.call_events.queue()),
        ("transcriptions", cloud.transcriptions.queue()),
        ("recordings", cloud.recordings.queue()),
        ("imports", cloud.imports.queue()),
        ("exports", cloud.exports.queue()),
    ]
}
