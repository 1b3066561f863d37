//! Clients of AWS, with the settings that all functions share.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// Reads region, credentials and (locally) the endpoint from the environment. The behaviour version is pinned, so that an
/// update of the SDK changes nothing by itself. An attempt may take 5 s; the SDK repeats it twice.
pub async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(5))
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts).load().await
}
