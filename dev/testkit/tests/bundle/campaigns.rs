//! A campaign and the guard over HTTP: people come as a file, the trigger calls them, everybody is accounted for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, number};

const PATIENCE: Duration = Duration::from_mins(2);

impl Stack {
    async fn answered(&self, method: Method, path: &str, body: Option<&Value>, status: u16) -> Value {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let (got, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(got, status, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Asks until the answer is as it should be.
    async fn until(&self, path: &str, right: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.answered(Method::GET, path, None, 200).await;
            if right(&found) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{path}: {found:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The outcomes of a campaign's contacts, by number.
async fn outcomes(stack: &Stack, path: &str) -> BTreeMap<String, String> {
    let page = stack.answered(Method::GET, &format!("{path}/contacts"), None, 200).await;
    let contact = |contact: &Value| {
        let text = |field: &str| contact[field].as_str().unwrap_or_default().to_owned();
        (text("number"), text("outcome"))
    };
    page["contacts"].as_array().unwrap().iter().map(contact).collect()
}

/// The deployed trigger comes by its own schedule, every minute.
#[tokio::test]
async fn a_campaign_is_imported_started_and_finished_with_everybody_accounted_for() {
    let stack = Stack::open().await;
    let fates =
        [("01", "answered"), ("50", "voicemail"), ("53", "declined"), ("54", "unreachable"), ("62", "answered")];
    let mut wanted: BTreeMap<String, String> = fates.map(|(fate, outcome)| (number(fate), outcome.to_owned())).into();
    let unwilling = number("02");
    wanted.insert(unwilling.clone(), "blocked".to_owned());
    let no = json!({ "number": unwilling, "reason": "asked by letter" });
    stack.answered(Method::POST, "/api/suppressions", Some(&no), 201).await;

    let wish = json!({
        "name": "bundle", "agent": "demo", "purpose": "informational", "rate": 20, "max_concurrent": 20,
        "retries": { "busy": { "delay_secs": 1, "most": 1 } },
    });
    let made = stack.answered(Method::POST, "/api/campaigns", Some(&wish), 201).await;
    let path = format!("/api/campaigns/{}", made["id"].as_str().unwrap());
    let mut csv = "phone_number,first_name,consent_type\n".to_owned();
    for number in wanted.keys() {
        writeln!(csv, "{number},Maria,express").unwrap();
    }
    let request = stack.request(Method::POST, &format!("{path}/imports")).header("Content-Type", "text/csv").body(csv);
    let import: Value = request.send().await.unwrap().json().await.unwrap();
    let import = format!("{path}/imports/{}", import["id"].as_str().unwrap());
    let import = stack.until(&import, |import| import["state"] == "done").await;
    assert_eq!((&import["taken"], &import["bad"]), (&6.into(), &0.into()), "{import:#}");

    assert_eq!(stack.answered(Method::POST, &format!("{path}/start"), None, 200).await["state"], "running");
    stack.until(&path, |campaign| campaign["progress"]["done"] == 6).await;
    assert_eq!(outcomes(&stack, &path).await, wanted);
    for number in wanted.keys() {
        let dials = stack.book(number).await["dials"].as_object().unwrap().len();
        let most = if number.ends_with("62") { 2 } else { usize::from(*number != unwilling) };
        assert_eq!(dials, most, "{number}");
    }
    stack.until(&path, |campaign| campaign["state"] == "finished").await;
}

#[tokio::test]
async fn the_guard_says_what_it_would_do_and_why() {
    let stack = Stack::open().await;
    let path = "/api/guard?phone_number=%2B14155550123&purpose=informational";
    let allowed = stack.answered(Method::GET, path, None, 200).await;
    assert_eq!((&allowed["decision"], &allowed["zones"]), (&"allow".into(), &json!(["America/Los_Angeles"])));
    assert!(allowed["until"].is_string() && allowed["not_checked"].to_string().contains("consent"), "{allowed:#}");
    // A moment that is named is that moment: four in the morning in San Francisco.
    let night = stack.answered(Method::GET, &format!("{path}&at=2026-12-01T12:00:00Z"), None, 200).await;
    assert_eq!((&night["decision"], &night["until"]), (&"defer".into(), &"2026-12-01T17:00:00Z".into()), "{night:#}");
    assert!(night["because"][0]["source"].is_string(), "{night:#}");
    let toll_free = stack.answered(Method::GET, "/api/guard?phone_number=%2B18005550123", None, 200).await;
    assert_eq!(toll_free["decision"], "block", "{toll_free:#}");
    assert_eq!(stack.http.get(stack.url(path)).send().await.unwrap().status(), 401);
}
