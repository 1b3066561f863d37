//! What runs by the clock, when a test says so.

use std::time::Duration;

use campaign_trigger::Tick;
use elevenwire::retry::Failure;
use initiate_call::{Canary, Ring, Rung};
use jiff::Timestamp;
use publish_events::Published;
use serde_json::{Value, json};

use crate::World;

impl World {
    /// One tick of the campaigns' trigger.
    pub async fn tick(&self) -> Tick {
        self.try_tick().await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_tick(&self) -> Result<Tick, Failure> {
        campaign_trigger::tick(&self.apps.trigger, self.clock.now()).await
    }

    /// A tick of a second trigger, which runs beside the first one.
    pub async fn other_tick(&self) -> Result<Tick, Failure> {
        campaign_trigger::tick(&self.apps.other_trigger, self.clock.now()).await
    }

    /// The minute's look at what ends or pauses campaigns.
    pub async fn watch(&self) {
        self.try_watch().await.unwrap();
    }

    /// The same, where it may fail.
    pub async fn try_watch(&self) -> Result<(), Failure> {
        campaign_trigger::watch(&self.apps.trigger, self.clock.now()).await
    }

    /// The minute's look at how things stand.
    pub async fn measure(&self) {
        let measured = campaign_trigger::measure(&self.apps.trigger, self.clock.now());
        self.apps.invocation("campaign-trigger", measured).await;
    }

    /// Runs the trigger's sweep.
    pub async fn sweep(&self) -> usize {
        self.try_sweep().await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_sweep(&self) -> Result<usize, Failure> {
        self.apps.invocation("campaign-trigger", campaign_trigger::sweep(&self.apps.trigger, self.clock.now())).await
    }

    /// Runs reconcile's schedule once.
    pub async fn reconcile(&self) -> reconcile::Summary {
        self.try_reconcile().await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_reconcile(&self) -> Result<reconcile::Summary, Failure> {
        let budget = reconcile::Budget::of(Duration::from_secs(20));
        self.apps.invocation("reconcile", reconcile::settle(&self.apps.reconcile, self.clock.now(), budget)).await
    }

    /// Writes the settlement report of today.
    pub async fn report(&self) -> Value {
        let today = self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        reconcile::report(&self.apps.reconcile, Some(today), self.clock.now()).await.unwrap()
    }

    /// Brings out the events that are due, to endpoints only.
    pub async fn publish(&self) -> Published {
        self.try_publish().await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_publish(&self) -> Result<Published, Failure> {
        self.apps.invocation("publish-events", publish_events::publish(&self.apps.publish, Duration::ZERO)).await
    }

    /// A second publisher, which runs beside the first one.
    pub async fn other_publish(&self) -> Published {
        publish_events::publish(&self.apps.other_publish, Duration::ZERO).await.unwrap()
    }

    /// Brings out the events that are due, to the bus as well.
    pub async fn publish_to_bus(&self) -> Published {
        publish_events::publish(&self.apps.publish_to_bus, Duration::ZERO).await.unwrap()
    }

    /// The canary's schedule, which was due at `at`, asks the agent `agent` to call `number`.
    pub async fn ring(&self, number: &str, agent: &str, at: Timestamp) -> Result<Rung, Failure> {
        let canary = Canary { number: number.to_owned(), agent: agent.to_owned() };
        self.ring_if(Some(&canary), at).await
    }

    /// The same, where a deployment may have no canary.
    pub async fn ring_if(&self, canary: Option<&Canary>, at: Timestamp) -> Result<Rung, Failure> {
        let wish: Ring = serde_json::from_value(json!({ "task": "canary", "at": at })).unwrap();
        let asked = initiate_call::ring(&self.apps.initiate, canary, &wish, self.clock.now(), rand::random());
        self.apps.invocation("initiate-call", asked).await
    }

    /// Runs health's check of everything.
    pub async fn check_health(&self) -> health::Report {
        self.health(&self.apps.health, health::Depth::All).await
    }

    /// Runs health's check as its schedule does.
    pub async fn check_health_on_schedule(&self) -> health::Report {
        self.health(&self.apps.health, health::Depth::LetSleep).await
    }

    /// The same in a deployment with a canary.
    pub async fn check_canary(&self) -> health::Report {
        self.health(&self.apps.health_with_canary, health::Depth::LetSleep).await
    }

    async fn health(&self, app: &health::App, depth: health::Depth) -> health::Report {
        self.apps.invocation("health", health::check(app, depth, self.clock.now())).await.unwrap()
    }
}
