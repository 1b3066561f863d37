//! The commands that look at and set up a deployment, against all functions and both vendors: see `testkit::World`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first thing that is not as it should be")]

mod doctoring;
mod first_calling;
mod setting_up;

use std::path::PathBuf;

use cli::here::{Here, Known};
use cli::setup::{Run, Setup};
use cli::{Client, Global};
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{CALLER_ID, INITIATION_SECRET, TOKEN};

const ADDRESSES: &str = "34.67.146.145,34.59.0.0/16,35.204.38.71,34.147.113.54,35.185.187.110,35.247.157.189";

/// A directory of a test's own, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NTH: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let nth = NTH.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("elevenwire-cli-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn global(world: &World) -> Global {
    Global { url: Some(world.url.clone()), token: Some(TOKEN.to_owned()), json: false, ..Global::default() }
}

fn client(world: &World) -> Client {
    Client::new(&global(world)).unwrap()
}

/// What somebody who deployed this world knows.
fn here(world: &World) -> Here {
    let config = world.vendors.config();
    let clock = world.clock.clone();
    let known = Known {
        public_base_url: Some(world.url.clone()),
        space: Some(world.vendors.url()),
        project_id: Some(config.project_id.clone()),
        carrier_token: Some(config.api_token.clone().into()),
        signing_key: Some(config.signing_key.clone().into()),
        elevenlabs_url: world.vendors.url(),
        elevenlabs_key: Some(config.elevenlabs_api_key.clone().into()),
        webhook_secret: Some(config.webhook_secret.clone().into()),
        initiation_secret: Some(INITIATION_SECRET.into()),
        allowed_ips: Some(ADDRESSES.to_owned()),
        own_numbers: vec!["+14155550101".to_owned()],
    };
    Here { known, now: Box::new(move || clock.now()) }
}

/// A world in which everything is as it should be.
async fn healthy() -> (World, Here) {
    let world = World::start().await;
    let wanted = json!({ "retry_enabled": true, "switches": { "retry_shown": "yes" },
        "agents": [{ "agent_id": "agent_demo", "name": "Ava" }] });
    world.vendors.configure(wanted).unwrap();
    let (here, dir) = (here(&world), Dir::new());
    let setup = Setup { agent: "demo".to_owned(), dir: dir.0.clone(), ..Setup::default() };
    let client = client(&world);
    let run = Run::new(&client, &here, &setup).unwrap();
    let steps = run.plan().await.unwrap();
    run.apply(&steps, 40, |_| {}).await.unwrap();
    (world, here)
}

/// A request to ElevenLabs, as from its own dashboard.
async fn dashboard(world: &World, method: http::Method, path: &str, body: Value) -> Value {
    let request = reqwest::Client::new().request(method, format!("{}{path}", world.vendors.url()));
    let request = request.header("xi-api-key", &world.vendors.config().elevenlabs_api_key).json(&body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path}");
    answer.json().await.unwrap()
}

fn caller() -> Vec<String> {
    vec![CALLER_ID.to_owned()]
}
