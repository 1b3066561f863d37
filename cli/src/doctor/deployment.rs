//! What the deployment says of itself, the time, and the quota.

use serde_json::Value;

use super::{Facts, Finding, cloud};
use crate::vendors::Trouble;

/// Seconds that a clock may differ before it is told, and before it must be mended. ElevenLabs' signatures are good for
/// five minutes ahead.
const NOTICED: i64 = 30;
const HARMFUL: i64 = 240;
/// The oldest server that is tested with, roughly: `docs/configuration.md`.
const OLDEST_SERVER: u32 = 14;
/// How long an attempt may be due before somebody should look.
const DUE_SECS: i64 = 300;
/// How long a call that has ended may lack something: reconcile looks much more often.
const UNSETTLED_SECS: i64 = 4 * 3600;
const REDEPLOY: &str = "Deploy the stack again: the bucket is gone, or health's role may not use it.";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = vec![clock(facts), cloud::judge(&facts.seen.quota)];
    let names = ["database", "migrations", "bucket", "deployed-credentials", "queues", "dead-letters"];
    match &facts.seen.health {
        Ok(health) => {
            let checks = [database, migrations, bucket, credentials, queues, dead_letters];
            findings.extend(checks.map(|check| check(health)));
        }
        // A check whose result cannot be kept is answered by this alone.
        Err(Trouble::Refused(503, said)) if said.contains("bucket") => {
            let others = names.iter().filter(|name| **name != "bucket");
            findings.extend(others.map(|name| Finding::skipped(name, "see bucket")));
            findings.push(Finding::fails("bucket", said.clone(), REDEPLOY));
        }
        // A check whose result cannot be kept is answered by this alone.
        Err(Trouble::Refused(503, said)) if said.contains("bucket") => {
            let others = names.iter().filter(|name| **name != "bucket");
            findings.extend(others.map(|name| Finding::skipped(name, "see bucket")));
            findings.push(Finding::fails("bucket", said.clone(), REDEPLOY));
        }
        Err(trouble) => {
            findings
                .extend(names.map(|name| Finding::skipped(name, format!("the deployment did not tell: {trouble}"))));
        }
    }
    findings
}

fn clock(facts: &Facts<'_>) -> Finding {
    let say =
        |(who, secs): &(&str, i64)| format!("{who} is {} s {}", secs.abs(), if *secs < 0 { "behind" } else { "ahead" });
    let off = |least: i64| facts.seen.skews.iter().filter(move |(_, secs)| secs.abs() > least);
    let wrong: Vec<String> = off(NOTICED).map(say).collect();
    let mend = "Set this machine's clock by NTP (the vendors' clocks are right).";
    if facts.seen.skews.is_empty() {
        Finding::skipped("clock", "nobody told the time")
    } else if wrong.is_empty() {
        Finding::ok(
            "clock",
            format!("{} agree with ours", facts.seen.skews.iter().map(|(who, _)| *who).collect::<Vec<_>>().join(", ")),
        )
    } else if off(HARMFUL).next().is_some() {
        Finding::fails("clock", wrong.join("; "), mend)
    } else {
        Finding::warns("clock", wrong.join("; "), mend)
    }
}

/// One of health's own checks.
fn told<'h>(health: &'h Value, name: &str) -> Option<&'h Value> {
    health["checks"].as_array()?.iter().find(|check| check["name"] == name)
}

fn detail(check: &Value) -> String {
    check["detail"].as_str().unwrap_or("it did not answer").to_owned()
}

fn database(health: &Value) -> Finding {
    let Some(database) = health["database"].as_object() else {
        let why = told(health, "database").map_or_else(|| "not told".to_owned(), detail);
        return Finding::fails(
            "database",
            why,
            "Check DatabaseUrl, the security group, and that the function migrate ran.",
        );
    };
    let version = database["server_version"].as_str().unwrap_or_default();
    let major = version.split(['.', ' ']).next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    if major < OLDEST_SERVER {
        return Finding::fails(
            "database",
            format!("PostgreSQL {version} is too old"),
            "Move to PostgreSQL 18, with which it is tested.",
        );
    }
    Finding::ok("database", format!("PostgreSQL {version}"))
}

fn migrations(health: &Value) -> Finding {
    let of = |field: &str| health["database"][field].as_i64();
    match (of("schema_version"), of("schema_needed")) {
        (Some(here), Some(needed)) if here < needed => Finding::fails(
            "migrations",
            format!("the schema has version {here}, the program needs {needed}"),
            "Run the migrations: `make migrate`, in AWS `sam remote invoke MigrateFunction`.",
        ),
        (Some(here), Some(needed)) if here > needed => Finding::warns(
            "migrations",
            format!("the schema has version {here}, the program knows {needed}"),
            "Deploy the newer program.",
        ),
        (Some(here), Some(_)) => Finding::ok("migrations", format!("version {here}")),
        _ => Finding::skipped("migrations", "see database"),
    }
}

fn bucket(health: &Value) -> Finding {
    match told(health, "bucket") {
        Some(check) if check["ok"] == true => Finding::ok("bucket", "answers"),
        Some(check) => Finding::fails("bucket", detail(check), REDEPLOY),
        None => Finding::skipped("bucket", "not told"),
    }
}

fn credentials(health: &Value) -> Finding {
    let failing = |name: &&str| told(health, name).is_some_and(|check| check["ok"] != true);
    let wrong: Vec<String> = ["signalwire", "elevenlabs"]
        .into_iter()
        .filter(|name| failing(name))
        .map(|name| format!("{name}: {}", told(health, name).map(detail).unwrap_or_default()))
        .collect();
    let mend = "Deploy with the credentials that were checked above, and a higher SecretsRevision.";
    Finding::of("deployed-credentials", &wrong, "both vendors take the deployment's", mend)
}

fn queues(health: &Value) -> Finding {
    let checks = health["checks"].as_array().into_iter().flatten();
    let broken =
        |check: &&Value| check["ok"] != true && check["name"].as_str().is_some_and(|name| name.starts_with("queue "));
    let mut wrong: Vec<String> =
        checks.filter(broken).map(|check| format!("{}: {}", check["name"], detail(check))).collect();
    let late = |field: &str, most: i64, what: &str| {
        let secs = health[field].as_i64().filter(|secs| *secs > most)?;
        Some(format!("{what} for {} minutes", secs / 60))
    };
    wrong.extend(late("oldest_due_secs", DUE_SECS, "a call is due and not claimed"));
    wrong.extend(late(
        "oldest_unsettled_secs",
        UNSETTLED_SECS,
        "a call that has ended waits for its transcript or recording",
    ));
    let mend = "See the logs of place-call and campaign-trigger (calls), of transcription-webhook, audio-webhook and reconcile (transcripts); GET /api/settlement names the calls.";
    Finding::of("queues", &wrong, "nothing waits for long", mend)
}

fn dead_letters(health: &Value) -> Finding {
    let mut put_aside = Vec::new();
    for queue in health["queues"].as_array().into_iter().flatten() {
        let name = queue["name"].as_str().unwrap_or("?");
        match queue["dead"].as_u64() {
            None => return Finding::skipped("dead-letters", format!("those of {name} could not be counted")),
            Some(0) => {}
            Some(dead) => put_aside.push(format!("{dead} in {name}")),
        }
    }
    if put_aside.is_empty() {
        return Finding::ok("dead-letters", "none");
    }
    Finding::warns(
        "dead-letters",
        put_aside.join(", "),
        "Read their reasons: `make redrive QUEUE=… ARGS=--dry-run` (docs/operations.md), mend the cause, send them back.",
    )
}
