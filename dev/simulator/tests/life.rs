//! Calls from the first request to the last webhook, as a product sees them.

mod sink;

use serde_json::{Value, json};
use sink::{Bench, form};

#[tokio::test]
async fn an_answered_call_goes_from_queue_to_transcript_and_recording() {
    let bench = Bench::start(json!({})).await;
    let call = bench.dial("+14155550101", &[]).await;
    assert_eq!(call["status"], "queued");
    assert_eq!(call["start_time"], Value::Null);
    let sid = call["sid"].as_str().unwrap().to_owned();
    bench.idle().await;

    let statuses = bench.statuses(&sid);
    assert_eq!(statuses, ["initiated", "ringing", "completed"]);
    let dial = bench.sim.book(|b| b.dials[&sid].clone());
    assert_eq!((dial.status.as_str(), dial.sip_code, dial.fate), ("completed", Some(200), "talk"));
    assert!(dial.duration >= 30);
    let conversation = bench.sim.book(|b| b.conversations.values().next().cloned().unwrap());
    assert!((8..=16).contains(&conversation.turns.len()), "{} turns", conversation.turns.len());
    assert!(conversation.turns[0].1.as_ref().unwrap().contains("Hello Ada"));

    let transcript = bench.event("post_call_transcription");
    let shown: Vec<_> =
        transcript["data"]["transcript"].as_array().unwrap().iter().map(|t| t["message"].clone()).collect();
    let booked: Vec<_> = conversation.turns.iter().map(|t| json!(t.1)).collect();
    assert_eq!(shown, booked);
    assert_eq!(transcript["data"]["metadata"]["call_duration_secs"], conversation.duration);
    assert_eq!(transcript["data"]["metadata"]["phone_call"]["call_sid"], "our-call-1");
    let variables = &transcript["data"]["conversation_initiation_client_data"]["dynamic_variables"];
    assert_eq!(variables["first_name"], "Ada");
    assert_eq!(variables["sip_elevenwire_call"], "our-call-1");
    assert_eq!(variables["system__call_sid"], "our-call-1");

    let audio = bench.event("post_call_audio");
    let mp3 = sink::decode(audio["data"]["full_audio"].as_str().unwrap());
    let recording = conversation.recording.unwrap();
    assert_eq!(simulator::sign::sha256_hex([&mp3]), recording.sha256);
    assert_eq!(mp3.len() as u64, recording.bytes);
    assert!((recording.seconds - f64::from(conversation.duration)).abs() < 0.05);
    let pulled = bench.get(&format!("/v1/convai/conversations/{}/audio", conversation.conversation_id)).await;
    assert_eq!(pulled.bytes().await.unwrap().as_ref(), mp3);
    assert!(bench.all_signatures_are_true());
}

#[tokio::test]
async fn every_fate_ends_as_its_number_says() {
    let bench = Bench::start(json!({})).await;
    let fates = [
        ("50", "completed", 200),
        ("51", "busy", 486),
        ("52", "no-answer", 487),
        ("53", "busy", 603),
        ("54", "failed", 404),
        ("55", "completed", 200),
        ("56", "failed", 607),
        ("57", "failed", 503),
        ("58", "completed", 200),
        ("59", "completed", 200),
        ("61", "completed", 200),
    ];
    for (digits, ..) in fates {
        bench.dial(&format!("+141555501{digits}"), &[]).await;
    }
    bench.idle().await;
    for (digits, status, sip) in fates {
        let to = format!("+141555501{digits}");
        let dial = bench.sim.book(|b| b.dials.values().find(|d| d.to == to).cloned().unwrap());
        assert_eq!((dial.status.as_str(), dial.sip_code), (status, Some(sip)), "fate {digits}");
        let last = bench.callbacks(&dial.sid).pop().unwrap();
        assert_eq!(form(&last, "CallStatus"), status);
        assert_eq!(form(&last, "SipResultCode"), sip.to_string());
        if let Some(action) = bench.request_for(&dial.sid, "/action") {
            let expected = if digits == "55" { ("failed", "503") } else { ("completed", "200") };
            assert_eq!(
                (form(&action, "DialCallStatus").as_str(), form(&action, "DialSipResponseCode").as_str()),
                expected
            );
        }
    }
    let spoken = bench.sim.book(|b| json!(b.conversations));
    assert!(spoken.to_string().contains("voicemail_detection tool was called."));
    assert!(spoken.to_string().contains("screening assistant"));
}

#[tokio::test]
async fn a_refused_number_is_refused_with_its_code_and_nothing_is_dialled() {
    let bench = Bench::start(json!({})).await;
    for (to, from, code) in [
        ("+14155550160", "+15550001111", "21217"),
        ("4155550101", "+15550001111", "21211"),
        ("", "+15550001111", "21201"),
        ("+14155550101", "+15550009999", "21210"),
    ] {
        let answer = bench.post_call(&[("To", to), ("From", from), ("Url", "http://127.0.0.1:9/voice")]).await;
        assert_eq!(answer.status(), 400);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"], code);
    }
    assert_eq!(bench.sim.book(|b| b.dials.len()), 0);
}

#[tokio::test]
async fn a_queued_call_can_be_canceled_and_an_answered_one_cannot() {
    let bench = Bench::start(json!({ "calls_per_second": 2.0, "time_scale": 20.0 })).await;
    let first = bench.dial("+14155550101", &[]).await;
    let second = bench.dial("+14155550102", &[]).await;
    let third = bench.dial("+14155550103", &[]).await;
    let canceled = bench.update(&third, &[("Status", "canceled")]).await;
    assert_eq!(canceled.status(), 200);
    assert_eq!(canceled.json::<Value>().await.unwrap()["status"], "canceled");
    let redirect = bench.update(&second, &[("Url", "http://127.0.0.1:9/x")]).await;
    assert_eq!(redirect.json::<Value>().await.unwrap()["code"], 21_220);
    bench.until(&first, "in-progress").await;
    let late = bench.update(&first, &[("Status", "canceled")]).await;
    assert_eq!(late.json::<Value>().await.unwrap()["code"], 10_000);
    let done = bench.update(&first, &[("Status", "completed")]).await;
    assert_eq!(done.status(), 200);
    bench.idle().await;
    assert_eq!(bench.statuses(third["sid"].as_str().unwrap()), ["canceled"]);
    let cut = bench.sim.book(|b| b.dials[first["sid"].as_str().unwrap()].clone());
    assert_eq!(cut.status, "completed");
}

#[tokio::test]
async fn machine_detection_beside_the_call_reports_and_the_product_may_hang_up() {
    let bench = Bench::start(json!({ "time_scale": 50.0 })).await;
    let amd = format!("{}/status/1?kind=amd", bench.base());
    let asked = [("MachineDetection", "Enable"), ("AsyncAmd", "true"), ("AsyncAmdStatusCallback", amd.as_str())];
    let call = bench.dial("+14155550150", &asked).await;
    bench.idle().await;
    let found = bench.requests().into_iter().find(|r| r.path.contains("kind=amd")).unwrap();
    assert_eq!(form(&found, "AnsweredBy"), "machine");
    assert_eq!(form(&found, "CallSid"), call["sid"].as_str().unwrap());
    let missing = bench
        .post_call(&[
            ("To", "+14155550150"),
            ("From", "+15550001111"),
            ("Url", "http://127.0.0.1:9/v"),
            ("AsyncAmd", "true"),
        ])
        .await;
    assert_eq!(missing.json::<Value>().await.unwrap()["errors"][0]["code"], "21262");
}

#[tokio::test]
async fn bad_input_is_answered_and_never_ends_a_connection() {
    let bench = Bench::start(json!({})).await;
    let config = bench.sim.config();
    let bodies = ["", "{", "To=%ff%fe&From=+&Url=x", "[1,2]", "null", "\u{0}", "a=b&a=c&&&==", "{\"to_number\":5}"];
    let paths = [
        "/control/config",
        "/control/faults",
        "/control/switches",
        "/control/send",
        "/control/inbound",
        "/v1/convai/sip-trunk/outbound-call",
        "/v1/convai/settings",
        "/v1/convai/phone-numbers",
        "/v1/workspace/webhooks",
        "/v1/convai/conversations",
        "/api/laml/2010-04-01/Accounts/x/Calls",
        "/nothing",
    ];
    let account = format!("/api/laml/2010-04-01/Accounts/{}/Calls", config.project_id);
    for path in paths.into_iter().chain([account.as_str(), &format!("{account}/none.json")]) {
        for body in bodies {
            for method in [reqwest::Method::POST, reqwest::Method::PATCH, reqwest::Method::PUT] {
                let request = bench.client.request(method, format!("{}{path}", bench.sim.url())).body(body);
                let request = request.basic_auth(&config.project_id, Some(&config.api_token));
                let answer = request.header("xi-api-key", &config.elevenlabs_api_key).send().await;
                assert!(answer.is_ok_and(|a| a.status() != 500), "{path} {body}");
            }
        }
    }
    for query in [
        "?StartTime%3C=9999-12-30",
        "?PageToken=PA99999999999999999999",
        "?Page=18446744073709551615&PageToken=PA1",
        "?StartTime=%00",
    ] {
        assert!(bench.fetch(query).await.is_object());
    }
    let wrong = bench.client.get(bench.calls_url()).basic_auth("x", Some("y")).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.json::<Value>().await.unwrap()["code"], 20_003);
}
