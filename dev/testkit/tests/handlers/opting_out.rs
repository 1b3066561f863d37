//! "Don't call me again": said to the agent's tool, in a transcript, or by its owner. What follows is that nobody calls.

use std::time::Duration;

use elevenwire::call::Connect;
use elevenwire::opt_out::{Rules, heard_in};
use elevenwire::store::claims::Claim;
use http::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{self, INITIATION_SECRET};
use uuid::Uuid;

const TALKS: &str = "+14155550101";
const WANTS_NO_MORE: &str = "+14155550159";

async fn tool(world: &World, secret: &str, body: &Value) -> (u16, Value) {
    let request = world.http.post(format!("{}/api/tools/opt-out", world.url));
    let answer = request.header("X-Elevenwire-Secret", secret).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

async fn known(world: &World, number: &str) -> Value {
    let number = number.replace('+', "%2B");
    world.get(&format!("/api/suppressions?number={number}")).await
}

async fn is_suppressed(world: &World, number: &str) -> bool {
    known(world, number).await["suppressions"].as_array().unwrap().len() == 1
}

fn dials(world: &World, number: &str) -> usize {
    world.vendors.book(|book| book.dials.values().filter(|dial| dial.to == number).count())
}

/// Another call to a number is refused, and one that was written down before comes to nothing.
async fn is_blocked(world: &World, number: &str) {
    let before = dials(world, number);
    let key = Uuid::new_v4().to_string();
    let wish = json!({ "to": number, "agent": "demo" });
    let (status, problem) = world.send(Method::POST, "/api/calls", Some(&wish), &[("Idempotency-Key", &key)]).await;
    assert_eq!((status, &problem["because"][0]["rule"]), (422, &json!("suppressed")), "{problem:#}");
    let call_id = waiting(world, number).await;
    world.sweep().await;
    let call = world.until(call_id, |call| call["state"] == "ended").await;
    assert_eq!(call["outcome"], "blocked", "{call:#}");
    assert!(call["reason"].as_str().unwrap().contains("suppressed"), "{call:#}");
    assert_eq!(dials(world, number), before, "it was dialled again");
}

/// An attempt that waits since a minute ago, after the last one to this number.
async fn waiting(world: &World, number: &str) -> Uuid {
    let id = Uuid::new_v4();
    let (due_at, expires_at) =
        (world.clock.now() - Duration::from_mins(1), world.clock.now() + Duration::from_mins(30));
    let changed = json!({ "id": id, "state": "intent", "outcome": null, "outcome_final": false, "reason": null, "asks": 0,
        "claimed_at": null, "carrier_sid": null, "agent_connected": null, "placed_at": null, "ringing_at": null,
        "answered_at": null, "ended_at": null, "conversation_id": null, "transcript": "expected", "slot_at": null,
        "recording": "expected", "due_at": due_at, "expires_at": expires_at });
    let sql = format!(
        "insert into calls select (jsonb_populate_record(c, '{changed}')).* from calls c where to_number = '{number}'
         order by created_at desc limit 1"
    );
    world.database.client().await.execute(&sql, &[]).await.unwrap();
    id
}

fn transcript(conversation_id: &str, call_id: Uuid, said: &str) -> Value {
    json!({ "type": "post_call_transcription", "event_timestamp": 1_790_000_000, "data": {
        "agent_id": "agent_demo", "conversation_id": conversation_id, "status": "done", "has_audio": false,
        "transcript": [{ "role": "agent", "message": "Hello." }, { "role": "user", "message": said }],
        "metadata": { "start_time_unix_secs": 1_790_000_000, "call_duration_secs": 9 },
        "conversation_initiation_client_data": { "dynamic_variables": { "call_id": call_id } } } })
}

/// A call that was written down, and in which this was said.
async fn heard(world: &World, number: &str, conversation_id: &str, said: &str) -> Uuid {
    let call_id = world.written_down(number).await;
    deliver(world, &transcript(conversation_id, call_id, said)).await;
    call_id
}

async fn deliver(world: &World, body: &Value) {
    assert_eq!(world.post_webhook(&body.to_string()).await, 200);
    world.pump().await;
}

async fn events(world: &World) -> i64 {
    world.database.count("select count(*) from suppression_events").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_tool_suppresses_at_once_and_says_what_the_agent_can_say() {
    let world = World::start().await;
    let call_id = world.written_down(TALKS).await;
    let other = world.written_down("+14155550102").await;
    let (status, answer) =
        tool(&world, INITIATION_SECRET, &json!({ "call_id": call_id, "number": "+14155550102" })).await;
    assert_eq!((status, &answer["noted"]), (200, &json!(true)));
    assert!(answer["message"].as_str().unwrap().contains("noted"), "{answer}");
    let known = known(&world, TALKS).await;
    assert_eq!(known["suppressions"][0]["source"], "agent_tool", "{known:#}");
    assert_eq!(known["suppressions"][0]["call_id"], json!(call_id));
    assert!(!is_suppressed(&world, "+14155550102").await, "only the number of the call");
    assert_eq!(tool(&world, INITIATION_SECRET, &json!({ "call_id": call_id })).await.1["noted"], true);
    assert_eq!(events(&world).await, 1, "once a call");
    // By the conversation, which outranks an id that the agent may have made up.
    let note = format!("update calls set conversation_id = 'conv_9' where id = '{other}'");
    world.database.client().await.execute(&note, &[]).await.unwrap();
    let both = json!({ "system__conversation_id": "conv_9", "call_id": call_id, "colour": ["x"] });
    assert_eq!(tool(&world, INITIATION_SECRET, &both).await.1["noted"], true);
    assert!(is_suppressed(&world, "+14155550102").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_use_of_the_tool_is_refused_and_an_unknown_call_is_never_said_to_be_noted() {
    let world = World::start().await;
    let call_id = world.written_down(TALKS).await;
    assert_eq!(tool(&world, "wrong", &json!({ "call_id": call_id })).await.0, 401);
    let bare = world.http.post(format!("{}/api/tools/opt-out", world.url)).json(&json!({ "call_id": call_id }));
    assert_eq!(bare.send().await.unwrap().status(), 401);
    for body in [
        json!({ "call_id": Uuid::new_v4() }),
        json!({ "conversation_id": "conv_unknown", "number": TALKS, "phone_number": TALKS }),
        json!({ "conversation_id": "", "call_id": { "id": call_id } }),
        json!([]),
        json!("text"),
    ] {
        let (status, answer) = tool(&world, INITIATION_SECRET, &body).await;
        assert_eq!((status, &answer["noted"]), (200, &json!(false)), "{body}");
        assert!(answer["message"].as_str().unwrap().contains("could not be noted"));
    }
    assert_eq!(events(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_in_a_transcript_suppresses_with_the_transcript_and_no_second_call_follows() {
    let world = World::start().await;
    let call_id = world.call(WANTS_NO_MORE).await;
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "answered", "{call:#}");
    let known = known(&world, WANTS_NO_MORE).await;
    assert_eq!(known["suppressions"][0]["source"], "transcript", "{known:#}");
    assert_eq!(world.database.count("select count(*) from opt_out_reviews").await, 0, "it was clear");
    assert_eq!(world.database.count("select count(*) from numbers where suppressed_at is not null").await, 1);
    is_blocked(&world, WANTS_NO_MORE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_webhook_lost_no_dial_follows_a_spoken_opt_out() {
    let world = World::start().await;
    let places = ["status_callback", "action", "initiation", "post_call_transcription", "post_call_audio"];
    let lost: Vec<Value> = places.iter().map(|place| json!({ "where": place, "kind": "drop" })).collect();
    let switches = json!({ "init_failure": "continues" });
    world.vendors.configure(json!({ "faults": lost, "switches": switches })).unwrap();
    let call_id = world.call(WANTS_NO_MORE).await;
    world.until(call_id, |call| call["state"] != "intent").await;
    world.vendors.wait_idle(Duration::from_secs(10)).await;
    for _ in 0..30 {
        world.clock.advance(Duration::from_mins(2));
        world.reconcile().await;
        world.pump().await;
    }
    let call = world.view(call_id).await;
    assert_eq!(call["outcome"], "answered", "{call:#}");
    is_blocked(&world, WANTS_NO_MORE).await;
    assert_eq!(dials(&world, WANTS_NO_MORE), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_agent_uses_its_tool_while_the_callee_is_on_the_line() {
    let config = simulator::Config { time_scale: 40.0, calls_per_second: 1000.0, ..simulator::Config::default() };
    let world = World::start_with(config).await;
    let url = format!("{}/api/tools/opt-out", world.url);
    let lost = ["post_call_transcription", "post_call_audio"].map(|place| json!({ "where": place, "kind": "drop" }));
    world.vendors.configure(json!({ "opt_out_tool_url": url, "faults": lost })).unwrap();
    let call_id = world.call(WANTS_NO_MORE).await;
    world.until(call_id, |call| call["state"] == "ended").await;
    assert_eq!(known(&world, WANTS_NO_MORE).await["suppressions"][0]["source"], "agent_tool");
    is_blocked(&world, WANTS_NO_MORE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wording_of_the_simulated_callee_is_heard_and_nothing_that_the_others_say() {
    let world = World::start().await;
    world.vendors.configure(json!({ "agent_concurrency": 200 })).unwrap();
    let mut calls = Vec::new();
    for at in 0..24 {
        calls.push((world.call(&format!("+1415555{at:02}59")).await, true));
        calls.push((world.call(&format!("+1415555{at:02}0{}", at % 10)).await, false));
    }
    let mut wordings = std::collections::BTreeSet::new();
    let rules = Rules::default();
    for (call_id, wants_no_more) in calls {
        let call = world.settled(call_id).await;
        let suppressed = is_suppressed(&world, call["to"].as_str().unwrap()).await;
        assert_eq!(suppressed, wants_no_more, "{:#}", call["conversation"]["messages"]);
        let said = call["conversation"]["messages"].as_array().unwrap();
        let said = said.iter().filter(|turn| turn["role"] == "user").filter_map(|turn| turn["message"].as_str());
        wordings.extend(said.filter(|text| heard_in(text, &rules).is_some_and(|heard| heard.sure)).map(str::to_owned));
    }
    assert!(wordings.len() > 8, "{wordings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_after_the_owner_lifted_it_changes_nothing_and_a_new_wish_suppresses_again() {
    let world = World::start().await;
    let call_id = heard(&world, TALKS, "conv_1", "Stop calling me.").await;
    assert!(is_suppressed(&world, TALKS).await);
    let (status, _) =
        world.send(Method::DELETE, "/api/suppressions/+14155550101", Some(&json!({ "reason": "he wrote" })), &[]).await;
    assert_eq!(status, 204);
    let before = events(&world).await;
    let body = transcript("conv_1", call_id, "Stop calling me.");
    deliver(&world, &body).await;
    // A fuller copy of the same conversation, and the agent's tool that was late.
    let mut fuller = body.clone();
    fuller["data"]["transcript"].as_array_mut().unwrap().push(json!({ "role": "user", "message": "Bye." }));
    deliver(&world, &fuller).await;
    assert_eq!(events(&world).await, before);
    assert_eq!(tool(&world, INITIATION_SECRET, &json!({ "call_id": call_id })).await.1["noted"], true);
    assert!(!is_suppressed(&world, TALKS).await, "it is the wish that he decided about");
    let end = format!("update calls set state = 'ended' where id = '{call_id}'");
    world.database.client().await.execute(&end, &[]).await.unwrap();
    heard(&world, TALKS, "conv_2", "I said don't call me again!").await;
    assert!(is_suppressed(&world, TALKS).await);
    let history = known(&world, TALKS).await["history"].clone();
    let steps: Vec<&str> = history.as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(steps, ["added", "added", "removed", "added"], "{history:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_doubtful_is_suppressed_and_a_person_decides() {
    let world = World::start().await;
    for (number, said) in
        [(TALKS, "Sorry, wrong number."), ("+14155550102", "Leave me alone."), ("+14155550103", "Stop.")]
    {
        heard(&world, number, &format!("conv{number}"), said).await;
        assert!(is_suppressed(&world, number).await, "{said}");
    }
    let page = world.get("/api/opt-out-reviews?limit=2").await;
    assert_eq!(page["reviews"].as_array().unwrap().len(), 2);
    assert_eq!(page["reviews"][0]["words"], "Sorry, wrong number.");
    let rest = world.get(&format!("/api/opt-out-reviews?cursor={}", page["next"].as_str().unwrap())).await;
    assert_eq!((rest["reviews"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let id = |at: usize| page["reviews"][at]["call_id"].as_str().unwrap().to_owned();
    let decide = async |id: String, body: Value| {
        world.send(Method::POST, &format!("/api/opt-out-reviews/{id}"), Some(&body), &[]).await
    };
    for body in [json!({ "decision": "maybe", "reason": "x" }), json!({ "decision": "keep" })] {
        assert_eq!(decide(id(0), body).await.0, 422);
    }
    let (status, answer) = decide(id(0), json!({ "decision": "keep", "reason": "it is" })).await;
    assert_eq!((status, &answer["suppressed"]), (200, &json!(true)));
    assert_eq!(decide(id(0), json!({ "decision": "remove", "reason": "no" })).await.0, 409);
    let (status, answer) = decide(id(1), json!({ "decision": "remove", "reason": "a joke" })).await;
    assert_eq!((status, &answer["suppressed"]), (200, &json!(false)));
    assert_eq!(decide(id(1), json!({ "decision": "remove", "reason": "again" })).await.0, 200, "sent twice");
    assert!(is_suppressed(&world, TALKS).await && !is_suppressed(&world, "+14155550102").await);
    // Its owner did not want it called anyway.
    let owner = json!({ "number": "+14155550103", "reason": "a lawyer" });
    assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&owner), &[]).await.0, 200);
    let third = rest["reviews"][0]["call_id"].as_str().unwrap().to_owned();
    let (_, answer) = decide(third, json!({ "decision": "remove", "reason": "he only paused" })).await;
    assert_eq!(answer["suppressed"], true);
    assert_eq!(known(&world, "+14155550103").await["suppressions"][0]["source"], "owner");
    assert_eq!(decide(Uuid::new_v4().to_string(), json!({ "decision": "keep", "reason": "x" })).await.0, 404);
    assert_eq!(world.get("/api/opt-out-reviews?state=all").await["reviews"].as_array().unwrap().len(), 3);
    assert_eq!(world.get("/api/opt-out-reviews").await["reviews"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voicemail_greeting_and_the_agents_own_words_suppress_nobody() {
    let world = World::start().await;
    let call_id = world.written_down(TALKS).await;
    let mut greeting = transcript("conv_1", call_id, "If you are selling, stop calling me. Leave a message.");
    greeting["data"]["transcript"].as_array_mut().unwrap().push(json!({ "role": "agent", "message": null,
        "tool_results": [{ "tool_name": "voicemail_detection", "type": "system",
            "result": { "result_type": "voicemail_detection_success" } }] }));
    deliver(&world, &greeting).await;
    let other = world.written_down("+14155550102").await;
    let mut agent = transcript("conv_2", other, "Yes?");
    agent["data"]["transcript"][0]["message"] = json!("We will stop calling you. No more calls.");
    deliver(&world, &agent).await;
    assert_eq!(events(&world).await, 0);
    // A conversation that nobody placed has no number to suppress.
    deliver(&world, &transcript("conv_inbound", Uuid::new_v4(), "Stop calling me.")).await;
    assert_eq!(events(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_rung_twice_is_heard_the_second_time_as_well() {
    let world = World::start().await;
    let call_id = world.written_down(TALKS).await;
    let dialled = format!(
        "update calls set connect = 'trunk', elevenlabs_phone_number_id = 'phnum_demo', conversation_id = 'conv_1'
         where id = '{call_id}'"
    );
    world.database.client().await.execute(&dialled, &[]).await.unwrap();
    deliver(&world, &transcript("conv_1", call_id, "Hello? Who is this?")).await;
    assert!(!is_suppressed(&world, TALKS).await);
    deliver(&world, &transcript("conv_2", call_id, "You again? Stop calling me.")).await;
    let known = known(&world, TALKS).await;
    assert_eq!(known["suppressions"][0]["call_id"], json!(call_id), "{known:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_and_an_opt_out_at_the_same_moment_never_wait_for_each_other_for_ever() {
    let world = World::start().await;
    for round in 0..20 {
        let number = format!("+141555501{round:02}");
        let call_id = world.written_down(&number).await;
        let body = transcript(&format!("conv_{round}"), call_id, "Stop calling me.").to_string();
        let dialling = world::dialling();
        let (noting, claiming) = (world.database.store(), world.database.store());
        let now = world.clock.now();
        assert_eq!(world.post_webhook(&body).await, 200);
        let names = [call_id.to_string()];
        let (claimed, noted, ()) = tokio::join!(
            claiming.claim(call_id, Connect::Sip, &dialling, now),
            noting.opt_out_in_call(&names, now),
            world.pump(),
        );
        noted.unwrap().unwrap();
        // Whoever was first: nobody who was suppressed before is claimed after.
        assert!(!matches!(claimed, Err(ref error) if format!("{error}").contains("40P01")), "{claimed:?}");
        assert!(is_suppressed(&world, &number).await);
        let again = claiming.claim(call_id, Connect::Sip, &dialling, now).await.unwrap();
        assert!(!matches!(again, Claim::Fresh(_)), "{again:?}");
    }
    world.pump().await;
    assert_eq!(world.database.count("select count(*) from conversations").await, 20);
    assert_eq!(events(&world).await, 40, "a tool and a transcript each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_the_transcript_of_the_answered_one_before_it() {
    let world = World::start().await;
    let store = world.database.store();
    let awaited = async |number: &str| store.history(number, world.clock.now()).await.unwrap().transcript_awaited;
    let lost = ["post_call_transcription", "post_call_audio"].map(|place| json!({ "where": place, "kind": "drop" }));
    world.vendors.configure(json!({ "faults": lost })).unwrap();
    assert!(!awaited(TALKS).await);
    let call_id = world.call(TALKS).await;
    world.until(call_id, |call| call["outcome"] == "answered" || call["state"] == "ended").await;
    assert!(awaited(TALKS).await);
    let busy = world.call("+14155550151").await;
    world.settled(busy).await;
    assert!(!awaited("+14155550151").await, "nobody answered");
    world.vendors.wait_idle(Duration::from_secs(10)).await;
    for _ in 0..10 {
        world.clock.advance(Duration::from_mins(2));
        world.reconcile().await;
        world.pump().await;
    }
    assert!(!awaited(TALKS).await, "it came home");
}
