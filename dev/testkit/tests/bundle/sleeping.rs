//! Asleep when idle: the deployed rules are off without work, and a request for a call switches them on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::stack::{Stack, number};

/// Whether each rule that is switched is on.
async fn rules(events: &aws_sdk_eventbridge::Client) -> BTreeMap<String, bool> {
    let listed = events.list_rules().send().await.unwrap();
    let rule = |rule: &aws_sdk_eventbridge::types::Rule| {
        (rule.name().unwrap().to_owned(), rule.state().unwrap().as_str() == "ENABLED")
    };
    let rules: BTreeMap<String, bool> = listed.rules().iter().map(rule).collect();
    assert_eq!(rules.len(), 3, "{rules:?}");
    rules
}

/// The trigger comes by its own rule, every minute, until it has switched that off.
#[tokio::test]
async fn without_work_the_rules_are_off_and_a_call_switches_them_on() {
    let stack = Stack::open().await;
    let events = aws_sdk_eventbridge::Client::new(&elevenwire::aws::config().await);
    // Other tests leave work behind: for a while there is none to be seen, and there was none lately.
    let view = stack.text("select pg_get_viewdef('work')").await;
    stack.execute("create or replace view work as select false as there_is").await;
    stack.execute("update wakefulness set busy_at = '-infinity'").await;
    let begun = Instant::now();
    while rules(&events).await.values().any(|on| *on) {
        assert!(begun.elapsed() < Duration::from_secs(150), "they never went off: {:?}", rules(&events).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stack.execute(&format!("create or replace view work as {view}")).await;
    assert!(rules(&events).await.values().all(|on| !on), "nobody has woken them yet");

    let call_id = stack.call(&number("01")).await;
    assert!(rules(&events).await.values().all(|on| *on), "whoever asks for a call does");
    stack.settled(&call_id).await;
}
