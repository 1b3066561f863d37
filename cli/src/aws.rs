//! Queues and bucket of a deployment, with the user's own AWS credentials: by its CloudFormation stack, or the local stack's.

use std::collections::BTreeMap;

use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use clap::Args;

use crate::{Failure, Global, settings};

/// Which deployment.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// A CloudFormation stack in AWS, with your credentials; empty: the local stack [default: that of the profile, else the
    /// local stack].
    #[arg(long, value_name = "NAME", env = "AWS_STACK", hide_env_values = true)]
    aws_stack: Option<String>,
}

/// What it has.
pub(crate) struct Place {
    /// What is said of it.
    pub(crate) name: String,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    names: BTreeMap<String, String>,
    local: bool,
}

impl Where {
    /// Finds it.
    pub(crate) async fn open(&self, global: &Global) -> Result<Place, Failure> {
        let config = elevenwire::aws::config().await;
        let stack = match &self.aws_stack {
            Some(said) => Some(said.clone()),
            None => settings::profile(global)?.and_then(|profile| profile.aws_stack),
        };
        if let Some(stack) = stack.filter(|name| !name.is_empty()) {
            let names = outputs(&aws_sdk_cloudformation::Client::new(&config), &stack).await?;
            return Ok(Place::of(format!("AWS stack {stack}"), &config, names, false));
        }
        let names = settings::local().ok_or_else(|| {
            Failure::Usage("no --aws-stack, and no local stack here (make up writes .local/env)".to_owned())
        })?;
        let it = |name: &str| names.get(name).cloned().unwrap_or_default();
        let keys =
            Credentials::new(it("AWS_ACCESS_KEY_ID"), it("AWS_SECRET_ACCESS_KEY"), None, None, "the local stack");
        let config = config.into_builder().endpoint_url(it("AWS_ENDPOINT_URL")).region(Region::new(it("AWS_REGION")));
        let config = config.credentials_provider(SharedCredentialsProvider::new(keys)).build();
        Ok(Place::of("local stack".to_owned(), &config, names, true))
    }
}

async fn outputs(client: &aws_sdk_cloudformation::Client, stack: &str) -> Result<BTreeMap<String, String>, Failure> {
    let described = client.describe_stacks().stack_name(stack).send().await.map_err(|error| down(&error))?;
    let outputs = described.stacks().first().map(aws_sdk_cloudformation::types::Stack::outputs).unwrap_or_default();
    let pair = |output: &aws_sdk_cloudformation::types::Output| {
        Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
    };
    Ok(outputs.iter().filter_map(pair).collect())
}

impl Place {
    fn of(name: String, config: &aws_config::SdkConfig, names: BTreeMap<String, String>, local: bool) -> Self {
        let (s3, sqs) = (aws_sdk_s3::Client::new(config), aws_sdk_sqs::Client::new(config));
        Self { name, s3, sqs, names, local }
    }

    /// The bucket's name.
    pub(crate) fn bucket(&self) -> Result<String, Failure> {
        self.named(if self.local { "S3_BUCKET" } else { "BucketName" })
    }

    /// The address of a queue such as `call-events`.
    pub(crate) fn queue(&self, queue: &str) -> Result<String, Failure> {
        self.named(&if self.local {
            format!("{}_QUEUE_URL", shout(queue))
        } else {
            format!("{}QueueUrl", camel(queue))
        })
    }

    /// The address of its dead letters.
    pub(crate) fn dead_letters(&self, queue: &str) -> Result<String, Failure> {
        let name = if self.local {
            format!("{}_DLQ_URL", shout(queue))
        } else {
            format!("{}DeadLetterQueueUrl", camel(queue))
        };
        self.named(&name)
    }

    fn named(&self, name: &str) -> Result<String, Failure> {
        self.names.get(name).cloned().ok_or_else(|| Failure::Usage(format!("the {} does not name {name}", self.name)))
    }
}

fn shout(queue: &str) -> String {
    queue.replace('-', "_").to_uppercase()
}

/// `call-events` as `CallEvents`.
pub(crate) fn camel(queue: &str) -> String {
    let word =
        |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>();
    queue.split('-').map(word).collect()
}

/// AWS did not do it: no answer, no credentials, or not allowed.
pub(crate) fn down(error: &dyn std::error::Error) -> Failure {
    Failure::Unreachable(format!("AWS: {}", crate::client::reason(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_named_as_the_template_and_the_local_stack_name_them() {
        assert_eq!((camel("call-events").as_str(), shout("call-events").as_str()), ("CallEvents", "CALL_EVENTS"));
    }
}
