//! AWS: what the account lets run at once, against what the stack's queues may take.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AccountLimit, EventSourceMappingConfiguration, ScalingConfig};

use super::Finding;

/// The functions that work on queues, as the template names them.
const WORKERS: [&str; 6] =
    ["place-call", "place-trunk-call", "call-status", "transcription-webhook", "audio-webhook", "import-contacts"];

/// What the doors and schedules need beside the queues' workers: `dev/template_checks` counts nine of them.
const DOORS: i32 = 10;

/// Runs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What the account leaves to functions without a reservation.
    pub allowed: i32,
    /// What the queues of the stack may take together.
    pub workers: i32,
}

/// Asks with the usual AWS credentials.
///
/// # Errors
/// Why it was not asked, or did not answer.
pub(super) async fn quota(stack: Option<&str>) -> Result<Quota, String> {
    let stack = stack.ok_or("no --aws-stack was given, and it is seen with AWS credentials only")?;
    ask(&Client::new(&elevenwire::aws::config().await), stack).await
}

async fn ask(lambda: &Client, stack: &str) -> Result<Quota, String> {
    let refused = |what: &str| format!("AWS did not tell {what}: are there credentials, and a region?");
    let settings = lambda.get_account_settings().send().await.map_err(|_| refused("the account's settings"))?;
    let limit = settings.account_limit().and_then(AccountLimit::unreserved_concurrent_executions);
    let allowed = limit.ok_or_else(|| refused("a limit"))?;
    let mut workers = 0;
    for worker in WORKERS {
        let asked = lambda.list_event_source_mappings().function_name(format!("{stack}-{worker}"));
        let mappings = asked.send().await.map_err(|_| refused(&format!("how {stack}-{worker} is fed")))?;
        let most = |mapping: &EventSourceMappingConfiguration| {
            mapping.scaling_config().and_then(ScalingConfig::maximum_concurrency)
        };
        workers += mappings.event_source_mappings().iter().filter_map(most).sum::<i32>();
    }
    Ok(Quota { allowed, workers })
}

/// Judges it.
pub(super) fn judge(quota: &Result<Quota, String>) -> Finding {
    const CHECK: &str = "lambda-concurrency";
    match quota {
        Err(why) => Finding::skipped(CHECK, why.clone()),
        Ok(quota) if quota.allowed < quota.workers + DOORS => Finding::fails(
            CHECK,
            format!(
                "the account runs {} at once, the queues take {} and the doors need {DOORS}",
                quota.allowed, quota.workers
            ),
            "Ask AWS in Service Quotas for more `Concurrent executions` of Lambda (1,000 is the usual quota; new accounts have less).",
        ),
        Ok(quota) => {
            Finding::ok(CHECK, format!("{} at once, of which the queues take {}", quota.allowed, quota.workers))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
    use axum::{Router, routing::get};
    use serde_json::json;

    use super::super::Verdict;
    use super::*;

    async fn of_account(limit: i32) -> Finding {
        let settings = json!({ "AccountLimit": { "UnreservedConcurrentExecutions": limit } }).to_string();
        let mappings =
            json!({ "EventSourceMappings": [{ "UUID": "1", "ScalingConfig": { "MaximumConcurrency": 5 } }] });
        let mappings = mappings.to_string();
        let aws = Router::new()
            .route("/2016-08-19/account-settings", get(async move || settings))
            .route("/2015-03-31/event-source-mappings", get(async move || mappings));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, aws).await });
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("a", "b", None, None, "test"))
            .endpoint_url(url)
            .build();
        judge(&ask(&Client::from_conf(config), "elevenwire").await)
    }

    #[tokio::test]
    async fn an_account_that_runs_less_at_once_than_the_queues_and_doors_need_is_told_how_to_get_more() {
        let finding = of_account(10).await;
        assert_eq!(finding.verdict, Verdict::Fails, "{finding:?}");
        assert!(finding.detail.contains("take 30") && finding.mend.unwrap().contains("Service Quotas"));
        assert_eq!(of_account(1000).await.verdict, Verdict::Ok);
    }

    #[tokio::test]
    async fn without_a_stack_it_is_told_why_it_was_not_looked_at() {
        let finding = judge(&quota(None).await);
        assert_eq!(finding.verdict, Verdict::NotChecked);
        assert!(finding.detail.contains("--aws-stack"));
    }
}
