//! What must be true at the end of every course, by the simulator's own book.

use elevenwire::crash::{Effect, Point};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::book::{ConversationEntry, Dial};

use crate::campaigns;
use crate::stage::Mark;
use crate::walk::{Course, Walk};

/// The carrier's book about the number.
pub fn dials(walk: &Walk) -> String {
    let dials = walk.world.vendors.book(|book| json!(book.dials));
    let conversations = walk.world.vendors.book(|book| json!(book.conversations));
    format!("{dials:#}\n{conversations:#}\nleft: {:#?}\n{:#?}", walk.memory.left(), walk.stage.traces())
}

/// One dial at most, no lost intent, one row a fact, everything home, row and object agree.
pub async fn check(walk: &Walk, course: &Course, died: Option<&Mark>) {
    let name = died.map_or_else(|| "nobody dies".to_owned(), ToString::to_string);
    let book: Vec<Dial> = walk
        .world
        .vendors
        .book(|book| book.dials.values().filter(|dial| dial.to == walk.scenario.to).cloned().collect());
    let call = &course.call;
    assert!(book.len() <= 1, "{name}: dialled twice\n{}", dials(walk));
    assert_eq!(call["double_dial"], false, "{name}");
    match book.first() {
        None => never_dialled(walk, call, died, &name),
        Some(dial) => dialled(walk, call, dial, died, &name),
    }
    campaigns::check(walk, course, died, &name).await;
    objects(walk, call, &name);
    queues(walk, &name);
    unchanged(walk, course, &name).await;
    rows(walk, course, &name).await;
}

/// Nothing was placed: it was refused, or the one who was to ask died, and so nobody may ask again.
fn never_dialled(walk: &Walk, call: &Value, died: Option<&Mark>, name: &str) {
    assert_eq!(call["state"], "ended", "{name}: {call:#}");
    if call["outcome"] == "unknown" {
        let asker_died = died.is_some_and(|mark| mark.turn.of.starts_with("place-"));
        assert!(asker_died, "{name}: it was lost\n{call:#}\n{}", dials(walk));
        assert!(call["settled_at"].is_null(), "{name}: giving up is not settling");
    } else {
        assert_eq!(call["outcome"], walk.scenario.outcome, "{name}: {call:#}");
    }
}

fn dialled(walk: &Walk, call: &Value, dial: &Dial, died: Option<&Mark>, name: &str) {
    if dial.placed_by == "signalwire" {
        assert_eq!(call["carrier_sid"], dial.sid.as_str(), "{name}: {call:#}");
    }
    assert!(!call["settled_at"].is_null(), "{name}: {call:#}");
    assert!(dial.ended_at.is_some(), "{name}: it is still on the line\n{}", dials(walk));
    if walk.scenario.later.is_some() {
        assert!(dial.rung_at.is_none(), "{name}: a call that was given up rang\n{}", dials(walk));
    }
    if walk.scenario.hangs_up_on_machines() {
        assert!(dial.duration < 3600, "{name}: a machine was not hung up on\n{}", dials(walk));
    }
    let said = conversation(walk, dial);
    // Who died at the agent's question about its call keeps the agent from the line: then the call is abandoned.
    let outcome = if said.is_none() && walk.scenario.outcome == "answered" {
        assert!(died.is_some_and(|mark| mark.turn.of == "personalize-call"), "{name}: no agent came\n{}", dials(walk));
        "abandoned"
    } else {
        walk.scenario.outcome
    };
    assert_eq!(call["outcome"], outcome, "{name}: {call:#}\n{}", dials(walk));
    let Some(said) = said else {
        assert!(call["recording"].is_null(), "{name}: {call:#}");
        return;
    };
    let stored: Vec<(String, Option<String>)> = call["conversation"]["messages"]
        .as_array()
        .unwrap_or_else(|| panic!("{name}: no transcript: {call:#}"))
        .iter()
        .map(|turn| (turn["role"].as_str().unwrap().to_owned(), turn["message"].as_str().map(str::to_owned)))
        .collect();
    assert_eq!(stored, said.turns, "{name}");
    assert_eq!(call["conversation"]["id"], said.conversation_id.as_str(), "{name}");
    assert_eq!(call["recording"]["sha256"], json!(said.recording.map(|recording| recording.sha256)), "{name}");
}

/// The conversation that a dial had, if a word was said.
fn conversation(walk: &Walk, dial: &Dial) -> Option<ConversationEntry> {
    walk.world.vendors.book(|book| {
        let of = |entry: &&ConversationEntry| entry.dial_sid.as_ref() == Some(&dial.sid) && !entry.turns.is_empty();
        book.conversations.values().find(of).cloned()
    })
}

/// One row a fact.
async fn rows(walk: &Walk, course: &Course, name: &str) {
    let client = &walk.database;
    let number = async |sql: &str| -> i64 { client.query_one(sql, &[]).await.unwrap().get(0) };
    let same = "select count(*) from (select 1 from call_events group by call_id, kind, fact having count(*) > 1) d";
    assert_eq!(number(same).await, 0, "{name}: an event twice");
    let calls: i64 =
        client.query_one("select count(*) from calls where to_number = $1", &[&walk.scenario.to]).await.unwrap().get(0);
    assert_eq!(calls, 1, "{name}");
    let asks = "select count(*) from calls c where asks <> (select count(*) from guard_decisions d
        where d.call_id = c.id and decision = 'allow')";
    assert_eq!(number(asks).await, 0, "{name}: the evidence of a question is missing");
    let told = "select count(*) from outbox where type = 'call.settled' and subject = $1";
    let told: i64 = client.query_one(told, &[&course.call_id.to_string()]).await.unwrap().get(0);
    assert_eq!(told, i64::from(!course.call["settled_at"].is_null()), "{name}: told of as settled");
    let known = i64::try_from(walk.world.vendors.book(|book| book.conversations.len())).unwrap();
    assert_eq!(number("select count(*) from conversations").await, known, "{name}: conversations");
    let id = course.call_id.to_string();
    let strangers = "select count(*) from conversations where call_id <> $1";
    let strangers: i64 = client.query_one(strangers, &[&id]).await.unwrap().get(0);
    assert_eq!(strangers, 0, "{name}: a conversation without its call");
    let recordings = i64::from(!course.call["recording"].is_null());
    assert_eq!(number("select count(*) from call_recordings").await, recordings, "{name}: recordings");
}

/// Row and object agree, and nothing else lies there.
fn objects(walk: &Walk, call: &Value, name: &str) {
    assert_eq!(walk.memory.objects("incoming/").len(), 0, "{name}: something was left in the way");
    let recordings = walk.memory.objects("recordings/");
    let path = call["recording"]["storage_path"].as_str();
    assert_eq!(
        recordings.keys().map(String::as_str).collect::<Vec<_>>(),
        path.into_iter().collect::<Vec<_>>(),
        "{name}"
    );
    for object in recordings.values() {
        assert_eq!(hex::encode(Sha256::digest(object)), call["recording"]["sha256"].as_str().unwrap(), "{name}");
    }
}

fn queues(walk: &Walk, name: &str) {
    let dead: Vec<String> = walk.memory.left().into_iter().filter(|message| message.contains("-dlq: ")).collect();
    assert!(dead.is_empty(), "{name}: put aside: {dead:#?}");
}

/// What is settled stays as it is, whatever is delivered, asked or looked at once more.
async fn unchanged(walk: &Walk, course: &Course, name: &str) {
    if walk.scenario.campaign.is_none() {
        let (status, body) = walk.post_call(&course.key).await;
        assert_eq!((status, &body["id"]), (202, &json!(course.call_id)), "{name}: the same key made another call");
    }
    walk.pass_time(3600).await;
    let after = walk.world.view(course.call_id).await;
    // A conversation that failed before a word was said comes with the list, in its time, and knows the times better.
    let bare = course.call["conversation"].is_null();
    let kept = |call: &Value| -> Value {
        let names = ["state", "outcome", "settled_at", "recording", "carrier_sid"];
        if bare {
            return names.map(|name| call[name].clone()).into();
        }
        // What the carrier charged is told when all is over, and changes nothing else.
        let mut call = call.clone();
        call.as_object_mut().unwrap().remove("cost");
        call
    };
    assert_eq!(kept(&after), kept(&course.call), "{name}: it changed after it was over");
    assert!(walk.memory.left().is_empty(), "{name}: left in the queues: {:#?}", walk.memory.left());
    let dialled =
        walk.world.vendors.book(|book| book.dials.values().filter(|dial| dial.to == walk.scenario.to).count());
    assert!(dialled <= 1, "{name}: dialled twice\n{}", dials(walk));
}

/// Nothing had an effect that did not pass a crash point: as many as the others counted.
pub fn counts(course: &Course) {
    let count = |wanted: &dyn Fn(Effect) -> bool| {
        let after = |point: &&Point| matches!(point, Point::After(effect) if wanted(*effect));
        course.traces.values().flatten().filter(after).count()
    };
    assert_eq!(count(&|effect| effect == Effect::Http), course.requests, "requests to the vendors");
    let cloud = |effect| !matches!(effect, Effect::Http | Effect::Commit | Effect::Write);
    assert_eq!(count(&cloud), course.effects, "effects on queues and bucket");
}
