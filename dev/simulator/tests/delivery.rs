//! Lost, repeated, late and refused: callbacks, webhooks, API answers.

mod sink;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sink::{Bench, form};

#[tokio::test]
async fn a_status_callback_is_tried_three_times_and_then_lost() {
    let bench = Bench::start(json!({})).await;
    bench.product.lock().unwrap().statuses = vec![500; 100];
    let call = bench.dial("+14155550151", &[]).await;
    bench.idle().await;
    let sid = call["sid"].as_str().unwrap();
    assert_eq!(bench.callbacks(sid).len(), 6, "two events, three tries each");
    let deliveries = bench.sim.book(|b| b.dials[sid].deliveries.clone());
    assert!(deliveries.iter().all(|d| d.attempts == 3 && !d.delivered && d.lost == Some("retries_exhausted")));
}

#[tokio::test]
async fn a_transcript_is_tried_again_only_when_asked_and_audio_never() {
    for (enabled, attempts) in [(true, 3), (false, 1)] {
        let bench = Bench::start(json!({ "retry_enabled": enabled, "time_scale": 2000.0 })).await;
        let urls = bench.urls();
        let params = [("To", "+14155550101"), ("From", "+15550001111"), ("Url", urls[0].as_str())];
        bench.product.lock().unwrap().statuses = vec![503; 3];
        assert_eq!(bench.post_call(&params).await.status(), 200);
        bench.idle().await;
        let conversation = bench.sim.book(|b| b.conversations.values().next().cloned().unwrap());
        let of = |event: &str| conversation.deliveries.iter().find(|d| d.event == event).unwrap();
        assert_eq!(of("post_call_audio").attempts, 1);
        assert_eq!(of("post_call_audio").lost, Some("not_retryable"));
        assert_eq!(of("post_call_transcription").attempts, attempts);
        assert_eq!(of("post_call_transcription").delivered, enabled);
        let bodies = bench.events("post_call_transcription");
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "a retry is identical");
    }
}

#[tokio::test]
async fn ten_failures_in_a_row_switch_a_webhook_off_until_it_is_switched_on() {
    let bench = Bench::start(json!({ "time_scale": 2000.0 })).await;
    bench.product.lock().unwrap().statuses = vec![404; 12];
    for _ in 0..6 {
        bench.control("/inbound", json!({ "from": "+14155550101" })).await;
    }
    bench.idle().await;
    let list = bench.get("/v1/workspace/webhooks?include_usages=true").await.json::<Value>().await.unwrap();
    assert_eq!(list["webhooks"][0]["is_auto_disabled"], true);
    assert_eq!(list["webhooks"][0]["most_recent_failure_error_code"], 404);
    let seen = bench.requests().len();
    bench.control("/inbound", json!({ "from": "+14155550101" })).await;
    bench.idle().await;
    assert!(bench.requests()[seen..].iter().all(|r| r.path != "/webhook"));
    let key = bench.sim.config().elevenlabs_api_key.clone();
    let url = format!("{}/v1/workspace/webhooks/wh_configured", bench.sim.url());
    let patch = json!({ "is_disabled": false, "name": "again", "retry_enabled": true });
    assert_eq!(bench.client.patch(url).header("xi-api-key", key).json(&patch).send().await.unwrap().status(), 200);
    bench.control("/inbound", json!({ "from": "+14155550102" })).await;
    bench.idle().await;
    assert!(bench.requests()[seen..].iter().any(|r| r.path == "/webhook"));
}

#[tokio::test]
async fn dropped_doubled_and_delayed_callbacks_are_booked_as_such() {
    let bench = Bench::start(json!({ "faults": [
        { "where": "status_callback", "kind": "drop", "event": "ringing" },
        { "where": "status_callback", "kind": "double", "event": "completed" },
        { "where": "status_callback", "kind": "delay_ms", "ms": 300, "event": "initiated" },
    ] }))
    .await;
    let call = bench.dial("+14155550152", &[]).await;
    bench.idle().await;
    let sid = call["sid"].as_str().unwrap();
    let arrived: Vec<String> = bench.requests().iter().map(|r| form(r, "CallStatus")).collect();
    assert_eq!(arrived, ["no-answer", "no-answer", "initiated"]);
    let deliveries = bench.sim.book(|b| b.dials[sid].deliveries.clone());
    assert_eq!(deliveries.iter().find(|d| d.event == "ringing").unwrap().lost, Some("fault"));
    assert_eq!(deliveries.iter().find(|d| d.event == "no-answer").unwrap().attempts, 2);
}

#[tokio::test]
async fn a_call_can_be_taken_although_the_answer_never_comes() {
    let bench = Bench::start(json!({ "faults": [
        { "where": "calls_create", "kind": "taken_but_no_answer", "to": "01", "times": 1 },
        { "where": "calls_create", "kind": "refuse_connection", "to": "02", "times": 1 },
        { "where": "calls_create", "kind": "http_status", "status": 503, "json": true, "retry_after": 1, "to": "03" },
        { "where": "calls_create", "kind": "taken_but_no_answer", "how": "504", "to": "04" },
    ] }))
    .await;
    let urls = bench.urls();
    let begun = Instant::now();
    assert!(bench.try_post_call(&Bench::params("+14155550101", &urls)).await.is_err());
    assert!(bench.try_post_call(&Bench::params("+14155550102", &urls)).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(3), "the connection is cut, not stalled");
    let refused = bench.post_call(&Bench::params("+14155550103", &urls)).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert!(refused.json::<Value>().await.is_ok());
    assert_eq!(bench.post_call(&Bench::params("+14155550104", &urls)).await.status(), 504);
    bench.idle().await;
    let dialled = bench.sim.book(|b| b.dials.values().map(|d| d.to.clone()).collect::<Vec<_>>());
    assert_eq!(dialled.len(), 2);
    assert!(dialled.contains(&"+14155550101".to_owned()) && dialled.contains(&"+14155550104".to_owned()));
}

#[tokio::test]
async fn a_list_has_pages_filters_and_may_lag() {
    let bench = Bench::start(json!({ "calls_per_second": 0.5 })).await;
    for n in 10..17 {
        bench.dial(&format!("+141555501{n}"), &[]).await;
    }
    let first = bench.fetch("?PageSize=3").await;
    assert_eq!(first["calls"].as_array().unwrap().len(), 3);
    let mut all = Vec::new();
    let mut next = first;
    loop {
        all.extend(next["calls"].as_array().unwrap().iter().map(|c| c["to"].clone()));
        let Some(uri) = next["next_page_uri"].as_str().map(str::to_owned) else { break };
        next = bench.fetch(&uri).await;
    }
    all.retain(|to| to.as_str().unwrap().starts_with('+'));
    assert_eq!(all.len(), 7);
    assert_eq!(bench.fetch("?To=%2B14155550113").await["calls"].as_array().unwrap().len(), 1);
    let started = bench.fetch("?To=%2B14155550116&StartTime%3E=Thu%2C%2001%20Jan%202026%2000%3A00%3A00%20GMT").await;
    assert_eq!(started["calls"], json!([]), "a queued call has no start time");
    assert_eq!(bench.fetch("?Page=1").await["code"], 54_453);
    bench.sim.configure(json!({ "faults": [{ "where": "calls_list", "kind": "lag_ms", "ms": 60_000 }] })).unwrap();
    assert_eq!(bench.fetch("").await["calls"], json!([]));
}

#[tokio::test]
async fn conversations_are_found_by_our_own_variable() {
    let bench = Bench::start(json!({})).await;
    for n in 0..3 {
        bench
            .control(
                "/inbound",
                json!({ "from": format!("+1415555010{n}"), "headers": { "X-Elevenwire-Call": format!("call-{n}") } }),
            )
            .await;
    }
    bench.idle().await;
    let found = bench.get("/v1/convai/conversations?dynamic_variable_params=sip_elevenwire_call:eq:call-1").await;
    let found: Value = found.json().await.unwrap();
    assert_eq!(found["conversations"].as_array().unwrap().len(), 1);
    let first: Value = bench.get("/v1/convai/conversations?page_size=2&sort_direction=asc").await.json().await.unwrap();
    assert_eq!(first["has_more"], true);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest: Value = bench
        .get(&format!("/v1/convai/conversations?page_size=2&sort_direction=asc&cursor={cursor}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!((rest["conversations"].as_array().unwrap().len(), &rest["has_more"]), (1, &json!(false)));
    assert_eq!(bench.get("/v1/convai/conversations?cursor=nonsense").await.status(), 400);
    let id = rest["conversations"][0]["conversation_id"].as_str().unwrap();
    let whole: Value = bench.get(&format!("/v1/convai/conversations/{id}")).await.json().await.unwrap();
    assert_eq!((&whole["status"], &whole["has_audio"]), (&json!("done"), &json!(true)));
    let wrong = bench.client.get(format!("{}/v1/convai/conversations", bench.sim.url())).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
}

#[tokio::test]
async fn the_agent_refuses_above_its_limit_and_books_it() {
    let bench = Bench::start(json!({ "agent_concurrency": 1, "time_scale": 100.0 })).await;
    bench.dial("+14155550101", &[]).await;
    bench.dial("+14155550102", &[]).await;
    bench.idle().await;
    let (refused, most) = bench.sim.book(|b| (b.refused_legs, b.max_concurrent_legs));
    assert_eq!((refused, most), (1, 1));
    let actions: Vec<String> =
        bench.requests().iter().filter(|r| r.path.starts_with("/action")).map(|r| form(r, "DialCallStatus")).collect();
    assert!(actions.contains(&"busy".to_owned()), "{actions:?}");
}

#[tokio::test]
async fn a_broken_voice_document_goes_to_the_fallback() {
    let bench = Bench::start(json!({})).await;
    let fallback = format!("{}/fallback/1", bench.base());
    for (kind, text) in [
        ("text/html", sink::DIAL),
        ("application/xml", " <?xml version=\"1.0\"?><Response/>"),
        ("application/xml", "<Response><Dance/></Response>"),
        ("application/xml", "<Response><Dial><Sip>sip:+1@h?X-A=1&X-B=2</Sip></Dial></Response>"),
    ] {
        bench.product.lock().unwrap().voice = Some((kind.into(), text.into()));
        let call = bench.dial("+14155550101", &[("FallbackUrl", &fallback)]).await;
        bench.idle().await;
        let asked = bench.request_for(call["sid"].as_str().unwrap(), "/fallback");
        assert!(asked.is_some_and(|r| !form(&r, "ErrorCode").is_empty()), "{text}");
    }
}

#[tokio::test]
async fn an_outbound_call_answers_when_the_callee_does_and_failure_is_told_by_webhook() {
    let bench = Bench::start(json!({})).await;
    let key = bench.sim.config().elevenlabs_api_key.clone();
    let number = bench.sim.config().numbers[0].phone_number_id.clone();
    let call = |to: &str| {
        bench.client.post(format!("{}/v1/convai/sip-trunk/outbound-call", bench.sim.url())).header("xi-api-key", &key).json(&json!({
            "agent_id": "agent_1", "agent_phone_number_id": number, "to_number": to,
            "conversation_initiation_client_data": { "user_id": "u1", "dynamic_variables": { "call_id": "ours", "name": "Bo" } } }))
    };
    let good: Value = call("+14155550101").send().await.unwrap().json().await.unwrap();
    assert_eq!(good["success"], true);
    let bad: Value = call("+14155550151").send().await.unwrap().json().await.unwrap();
    assert_eq!(bad["success"], false);
    bench.idle().await;
    let failure = bench.event("call_initiation_failure");
    assert_eq!(
        (&failure["data"]["failure_reason"], &failure["data"]["conversation_id"]),
        (&json!("busy"), &bad["conversation_id"])
    );
    let found: Value = bench
        .get("/v1/convai/conversations?dynamic_variable_params=call_id:eq:ours&user_id=u1")
        .await
        .json()
        .await
        .unwrap();
    assert!(found["conversations"].as_array().unwrap().iter().any(|c| c["conversation_id"] == good["conversation_id"]));
}

#[tokio::test]
async fn any_drawn_set_of_switches_still_ends_every_call() {
    for seed in 0..12 {
        let bench = Bench::start(json!({ "seed": seed, "switches": "seed" })).await;
        let urls = bench.urls();
        for digits in ["01", "50", "51", "53", "55", "56", "58", "61"] {
            let to = format!("+141555501{digits}");
            assert!(bench.post_call(&Bench::params(&to, &urls)).await.status().is_success());
        }
        bench.idle().await;
        let summary = bench.sim.book(simulator::book::Book::summary);
        assert_eq!(summary["dials"], 8);
        assert_eq!(bench.sim.book(|b| b.dials.values().filter(|d| d.ended_at.is_some()).count()), 8, "seed {seed}");
    }
}

#[tokio::test]
async fn one_webhook_can_be_sent_by_hand_true_or_forged() {
    let bench = Bench::start(json!({})).await;
    let sent = bench.control("/send", json!({ "type": "post_call_transcription", "times": 3, "merge": { "data": { "user_id": null, "status": "done" } } })).await;
    assert_eq!(sent["answers"].as_array().unwrap().len(), 3);
    bench.control("/send", json!({ "type": "post_call_audio" })).await;
    bench.control("/send", json!({ "type": "something_new" })).await;
    let voice = bench
        .control(
            "/send",
            json!({ "type": "signalwire", "url": format!("{}/voice/1", bench.base()), "params": { "CallSid": "x" } }),
        )
        .await;
    assert_eq!(voice["answers"][0]["status"], 200);
    assert!(bench.all_signatures_are_true());
    bench.control("/send", json!({ "type": "post_call_transcription", "forge": true })).await;
    assert!(!bench.all_signatures_are_true());
}

#[tokio::test]
async fn retries_past_a_hundred_that_wait_are_dropped() {
    let bench =
        Bench::start(json!({ "retry_enabled": true, "time_scale": 50.0, "talk_secs": 1, "agent_concurrency": 500 }))
            .await;
    bench.control("/inbound", json!({ "from": "+14155550101" })).await;
    bench.idle().await;
    bench.product.lock().unwrap().statuses = vec![503; 100_000];
    bench.sim.configure(json!({ "processing_secs": [20.0, 20.0], "time_scale": 20.0 })).unwrap();
    for n in 0..110 {
        bench.control("/inbound", json!({ "from": format!("+141555502{n:03}"), "fate": "+14155550101" })).await;
    }
    let dropped = || {
        bench.sim.book(|b| {
            let lost = b.conversations.values().flat_map(|c| &c.deliveries).filter(|d| d.lost == Some("queue_full"));
            lost.count()
        })
    };
    for _ in 0..100 {
        if dropped() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(dropped(), 10);
}

#[tokio::test]
async fn the_timestamp_of_a_retry_is_as_its_switch_says() {
    for (variant, same) in [("original", true), ("refreshed", false)] {
        let bench = Bench::start(json!({ "retry_enabled": true, "time_scale": 25.0, "talk_secs": 1,
            "switches": { "retry_timestamp": variant } }))
        .await;
        bench.product.lock().unwrap().statuses = vec![503; 2];
        bench.control("/inbound", json!({ "from": "+14155550101" })).await;
        bench.idle().await;
        let of_transcript =
            bench.requests().into_iter().filter(|r| r.path == "/webhook" && r.body.starts_with(br#"{"data""#));
        let stamps: Vec<String> =
            of_transcript.map(|r| r.headers["elevenlabs-signature"].to_str().unwrap()[..12].to_owned()).collect();
        assert_eq!(stamps.len(), 2);
        assert_eq!(stamps[0] == stamps[1], same, "{variant}: {stamps:?}");
    }
}

#[tokio::test]
async fn one_seed_makes_the_same_conversation_again() {
    let mut told = Vec::new();
    for _ in 0..2 {
        let bench = Bench::start(json!({ "seed": 7 })).await;
        bench.dial("+14155550133", &[]).await;
        bench.idle().await;
        told.push(bench.sim.book(|b| b.conversations.values().next().map(|c| (c.turns.clone(), c.duration)).unwrap()));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn many_calls_under_many_faults_all_end_and_the_book_agrees_with_itself() {
    let bench =
        Bench::start(json!({ "time_scale": 600.0, "calls_per_second": 400.0, "agent_concurrency": 1000, "faults": [
        { "where": "status_callback", "kind": "drop", "probability": 0.1 },
        { "where": "status_callback", "kind": "double", "probability": 0.1 },
        { "where": "status_callback", "kind": "reorder", "probability": 0.05 },
        { "where": "post_call_transcription", "kind": "drop", "probability": 0.1 },
        { "where": "voice", "kind": "drop", "probability": 0.05 },
        { "where": "calls_create", "kind": "taken_but_no_answer", "probability": 0.05 },
        { "where": "calls_create", "kind": "http_status", "status": 503, "json": true, "probability": 0.05 },
    ] }))
        .await;
    let urls = bench.urls();
    let mut taken = 0;
    for n in 0..150 {
        let to = format!("+14155557{n:03}");
        let answer = bench.try_post_call(&Bench::params(&to, &urls)).await;
        taken += usize::from(answer.is_ok_and(|a| a.status().is_success()));
    }
    bench.idle().await;
    bench.sim.book(|book| {
        assert!(book.dials.len() >= taken && taken > 100);
        assert!(book.overlapping().is_empty());
        for dial in book.dials.values() {
            assert!(dial.ended_at.is_some(), "{dial:?}");
            for id in dial.legs.iter().filter_map(|leg| leg.conversation_id.as_ref()) {
                let conversation = &book.conversations[id];
                assert_eq!((conversation.status.as_str(), conversation.dial_sid.as_ref()), ("done", Some(&dial.sid)));
                assert!(conversation.deliveries.iter().all(|d| d.delivered != d.lost.is_some()), "{conversation:?}");
            }
        }
        let sent: u32 = book.requests.values().flat_map(|by_status| by_status.values()).sum();
        assert_eq!(sent, 150);
    });
}

#[tokio::test]
async fn the_queue_keeps_order_and_rate_and_refuses_when_it_is_full() {
    let bench = Bench::start(json!({ "calls_per_second": 10.0, "queue_limit": 3 })).await;
    let urls = bench.urls();
    let mut statuses = Vec::new();
    for n in 0..8 {
        let to = format!("+1415555015{}", n % 2 + 1);
        statuses.push(bench.post_call(&Bench::params(&to, &urls)).await.status().as_u16());
    }
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 8 - statuses.iter().filter(|s| **s == 200).count());
    assert!(statuses.contains(&429));
    bench.idle().await;
    bench.sim.book(|book| {
        assert_eq!(book.max_queue_depth, 3);
        let mut dials: Vec<_> = book.dials.values().collect();
        dials.sort_by_key(|d| d.requested_at);
        assert!(dials.is_sorted_by_key(|d| d.initiated_at));
        let span = dials[dials.len() - 1].initiated_at.unwrap().duration_since(dials[0].initiated_at.unwrap());
        // One gap of tolerance for a machine that is busy elsewhere.
        assert!(
            span.as_millis() >= 100 * i128::try_from(dials.len() - 2).unwrap(),
            "{} calls in {span:?}",
            dials.len()
        );
    });
}
