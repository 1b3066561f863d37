//! Queues, a bucket and a bus of a test's own, on the local AWS.

use aws_sdk_sqs::types::QueueAttributeName;
use elevenwire::blobs::Blobs;
use elevenwire::events::bus::Bus;
use elevenwire::queue::{Queue, Worker};
use elevenwire::schedules::Schedules;

use crate::database::env;

/// A queue with its dead-letter queue.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The queue's address.
    pub url: String,
    /// The dead-letter queue's address.
    pub dead_url: String,
    sqs: aws_sdk_sqs::Client,
}

/// The queues, the bucket and the bus.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// The bus's name.
    pub bus: String,
    /// The bucket's name.
    pub bucket: String,
    /// For place-call.
    pub calls: Pair,
    /// For place-trunk-call.
    pub trunk_calls: Pair,
    /// For call-status.
    pub call_events: Pair,
    /// For transcription-webhook.
    pub transcriptions: Pair,
    /// For audio-webhook.
    pub recordings: Pair,
    /// For import-contacts.
    pub imports: Pair,
    /// For export-records.
    pub exports: Pair,
}

impl Cloud {
    /// Makes them.
    pub async fn create() -> Self {
        let config = elevenwire::aws::config().await;
        let config = config.into_builder().endpoint_url(env("TEST_AWS_ENDPOINT_URL")).build();
        let (sqs, s3) = (aws_sdk_sqs::Client::new(&config), aws_sdk_s3::Client::new(&config));
        let id = uuid::Uuid::new_v4().simple().to_string();
        let bucket = format!("test-{id}");
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        let events = aws_sdk_eventbridge::Client::new(&config);
        Self {
            calls: Pair::create(&sqs, &id, "calls").await,
            trunk_calls: Pair::create(&sqs, &id, "trunk-calls").await,
            call_events: Pair::create(&sqs, &id, "call-events").await,
            transcriptions: Pair::create(&sqs, &id, "transcriptions").await,
            recordings: Pair::create(&sqs, &id, "recordings").await,
            imports: Pair::create(&sqs, &id, "imports").await,
            exports: Pair::create(&sqs, &id, "exports").await,
            sqs,
            s3,
            events,
            bus: format!("test-{id}"),
            bucket,
        }
    }

    /// The bus, which a test makes if it is about it.
    #[must_use]
    pub fn bus(&self) -> Bus {
        Bus::new(self.events.clone(), self.bus.clone())
    }

    /// The schedules that are switched, which a test makes if it is about them ([`make_rules`](Self::make_rules)).
    #[must_use]
    pub fn schedules(&self) -> Schedules {
        Schedules::new(self.events.clone(), &self.rules().join(","))
    }

    /// Their names: the trigger's first.
    #[must_use]
    pub fn rules(&self) -> [String; 2] {
        [format!("{}-trigger", self.bus), format!("{}-reconcile", self.bus)]
    }

    /// Makes them, switched on.
    pub async fn make_rules(&self) {
        for rule in self.rules() {
            self.events.put_rule().name(rule).schedule_expression("rate(1 hour)").send().await.unwrap();
        }
    }

    /// Whether each of them is on.
    pub async fn rules_on(&self) -> [bool; 2] {
        let mut on = [false; 2];
        for (rule, on) in self.rules().iter().zip(&mut on) {
            let answer = self.events.describe_rule().name(rule).send().await.unwrap();
            *on = answer.state() == Some(&aws_sdk_eventbridge::types::RuleState::Enabled);
        }
        on
    }

    /// The bucket.
    #[must_use]
    pub fn blobs(&self) -> Blobs {
        Blobs::new(self.s3.clone(), self.bucket.clone())
    }

    /// Deletes every object.
    pub async fn empty_bucket(&self) {
        for key in self.keys("").await {
            self.s3.delete_object().bucket(&self.bucket).key(key).send().await.unwrap();
        }
    }

    /// All keys below a prefix.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).send().await.unwrap();
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }
}

impl Pair {
    async fn create(sqs: &aws_sdk_sqs::Client, id: &str, name: &str) -> Self {
        let make = async |suffix: &str| {
            let made = sqs.create_queue().queue_name(format!("{id}-{name}{suffix}")).send().await.unwrap();
            made.queue_url().unwrap().to_owned()
        };
        let (url, dead_url) = (make("").await, make("-dlq").await);
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{id}-{name}-dlq");
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"1000"}}"#);
        let set = sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::RedrivePolicy, policy);
        set.send().await.unwrap();
        Self { url, dead_url, sqs: sqs.clone() }
    }

    /// One that is there already, by its address.
    #[must_use]
    pub fn at(sqs: &aws_sdk_sqs::Client, url: &str) -> Self {
        Self { url: url.to_owned(), dead_url: format!("{url}-dlq"), sqs: sqs.clone() }
    }

    /// The client, to receive and to delete with.
    #[must_use]
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.sqs
    }

    /// To send to.
    #[must_use]
    pub fn queue(&self) -> Queue {
        Queue::new(self.sqs.clone(), self.url.clone())
    }

    /// To work off.
    #[must_use]
    pub fn worker(&self) -> Worker {
        Worker { queue: self.queue(), dead_letters: Queue::new(self.sqs.clone(), self.dead_url.clone()) }
    }

    /// The reasons of what was put aside, which is taken out of the queue by asking.
    pub async fn buried(&self) -> Vec<String> {
        let asked = self.sqs.receive_message().queue_url(&self.dead_url).max_number_of_messages(10);
        let answer = asked.message_attribute_names("All").send().await.unwrap();
        let reason = |message: &aws_sdk_sqs::types::Message| {
            message.message_attributes()?.get("reason")?.string_value().map(str::to_owned)
        };
        answer.messages().iter().filter_map(reason).collect()
    }
}
