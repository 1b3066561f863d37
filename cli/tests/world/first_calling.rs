//! `first-call`: what it shows and what it concludes, for several positions of the switches.

use std::time::Duration;

use cli::doctor::Doctor;
use cli::first_call::{self, FirstCall, Report, SWITCHES};
use serde_json::{Value, json};
use testkit::World;

use crate::{Dir, client, healthy, here};

fn wish(number: &str, dir: &Dir) -> FirstCall {
    FirstCall {
        number: number.to_owned(),
        agent: None,
        yes: false,
        anyway: false,
        dir: dir.0.clone(),
        wait: 1,
        every: 50,
        doctor: Doctor::default(),
    }
}

/// Calls while the functions work, with the switches as given; answers the report and the lines.
async fn called(world: &World, switches: Value, dir: &Dir) -> (Report, Vec<String>) {
    let here = here(world);
    world.vendors.configure(json!({ "switches": switches })).unwrap();
    let (client, wish, mut lines) = (client(world), wish("+14155550101", dir), Vec::new());
    let mut out = |line: &str| lines.push(line.to_owned());
    let working = async {
        loop {
            world.pump().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let report = tokio::select! {
        report = first_call::call(&client, &here, &wish, &mut out) => report.unwrap(),
        () = working => unreachable!(),
    };
    (report, lines)
}

fn seen(report: &Report) -> Vec<(&str, &str)> {
    report.switches.iter().filter_map(|s| Some((s.switch, s.seen.as_deref()?))).collect()
}

const AGAINST: [(&str, &str); 17] = [
    ("error_shape", "list"),
    ("error_code", "string"),
    ("call_object", "strings"),
    ("sequence_number", "absent"),
    ("audio_keys", "absent"),
    ("invite_headers", "twilio"),
    ("dial_status_word", "answered"),
    ("retry_shown", "yes"),
    ("x_call_id_in", "call_id"),
    ("init_variables_echoed", "no"),
    ("metrics_nesting", "flat"),
    ("empty_tools", "null"),
    ("detail_shape", "status_message"),
    ("number_form", "no_plus"),
    ("override_object", "null"),
    ("analysis", "null"),
    ("unknown_fields", "some"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_first_call_shows_what_happens_and_names_the_positions_that_it_saw() {
    let (world, _) = healthy().await;
    let dir = Dir::new();
    let (report, lines) = called(&world, json!("default"), &dir).await;
    assert_eq!(report.outcome.as_deref(), Some("answered"));
    let all = lines.join("\n");
    for part in ["calling +14155550101", "carrier", "fetched", "everything has come home", "agent"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let sure = seen(&report);
    for (switch, _) in AGAINST {
        assert!(sure.iter().any(|(name, _)| *name == switch), "{switch} was not seen");
    }
    for sighting in &report.switches {
        assert!(sighting.seen.as_deref().is_none_or(|seen| seen == sighting.assumed), "{sighting:?}");
    }
    let path = report.keep(&dir.0).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("not seen in this call") && text.contains("as assumed"), "{text}");
    assert!(!text.contains("+14155550101"), "the report can be shown around");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_vendors_behave_otherwise_the_report_says_how() {
    let (world, _) = healthy().await;
    let dir = Dir::new();
    let switches: serde_json::Map<String, Value> =
        AGAINST.iter().map(|(name, variant)| ((*name).to_owned(), json!(variant))).collect();
    let (report, _) = called(&world, Value::Object(switches), &dir).await;
    let seen = seen(&report);
    for expected in AGAINST {
        assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
    }
    assert!(report.text().contains("NOT nested as assumed"), "{}", report.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_alone_and_traces_are_told_apart_too() {
    let (world, _) = healthy().await;
    let dir = Dir::new();
    let switches = json!({ "x_call_id_in": "variables_only", "transcript_format": "opentelemetry",
        "call_object": "minimal", "number_form": "spaced", "error_shape": "native", "detail_shape": "text" });
    let (report, _) = called(&world, switches.clone(), &dir).await;
    let seen = seen(&report);
    for (switch, variant) in switches.as_object().unwrap() {
        assert!(seen.contains(&(switch.as_str(), variant.as_str().unwrap())), "{switch}: {variant} in {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_while_doctor_finds_something_or_when_the_phone_is_a_strangers() {
    let (world, here) = healthy().await;
    let dir = Dir::new();
    let client = client(&world);
    let stranger = wish("+14155550102", &dir);
    let said = first_call::call(&client, &here, &stranger, &mut |_| {}).await.unwrap_err();
    assert!(said.to_string().contains("--yes"), "{said}");
    world.vendors.configure(json!({ "owned_numbers": ["+14155550199"] })).unwrap();
    let said = first_call::call(&client, &here, &wish("+14155550101", &dir), &mut |_| {}).await.unwrap_err();
    assert!(said.to_string().contains("mend first"), "{said}");
    assert!(world.vendors.book(|book| book.dials.is_empty()));
}

#[test]
fn the_report_knows_every_switch_of_the_simulator_and_its_default() {
    let table: Vec<(&str, &str)> = simulator::switches::TABLE.iter().map(|s| (s.name, s.variants[0])).collect();
    assert_eq!(SWITCHES.to_vec(), table);
}
