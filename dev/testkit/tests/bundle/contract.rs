//! What the description of the API says holds of the deployed bundle as well.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, number};

/// Fewer of the same requests as in the process of the handlers' tests: the local AWS answers some 80 a second. Other tests
/// use this stack, and an agent stays for good: none is made or changed here.
const FEWER: [&str; 6] =
    ["--max-examples", "2", "--exclude-operation-id", "createAgent", "--exclude-operation-id", "putAgent"];

/// The ids of a whole list.
async fn all(stack: &Stack, list: &str) -> BTreeSet<String> {
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = stack.request(Method::GET, &format!("/api/{list}?limit=200{cursor}")).send().await.unwrap();
        let page: Value = page.json().await.unwrap();
        let entries = page[list.trim_start_matches("event-")].as_array().unwrap();
        found.extend(entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

/// The other tests of this stack shall find it as it was: no stop, no running campaign, nobody who is told of events.
async fn clear_up(stack: &Stack) {
    for (list, method, verb) in
        [("stops", Method::DELETE, ""), ("campaigns", Method::POST, "/cancel"), ("event-endpoints", Method::DELETE, "")]
    {
        for id in all(stack, list).await {
            let path = format!("/api/{list}/{id}{verb}");
            let status = stack.request(method.clone(), &path).send().await.unwrap().status();
            // A campaign that has ended; the deployment's own bus.
            assert!(status.is_success() || status == 409, "{path}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing() {
    let stack = Stack::open().await;
    // Something to be read.
    let call = stack.call(&number("01")).await;
    stack.settled(&call).await;
    let held = testkit::contract::hold_to_it(stack.setting("BASE_URL"), stack.setting("API_TOKEN"), &FEWER).await;
    clear_up(&stack).await;
    held.unwrap_or_else(|found| panic!("{found}"));
    let call = stack.call(&number("01")).await;
    assert_eq!(stack.settled(&call).await["outcome"], json!("answered"));
}
