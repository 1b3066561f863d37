//! `make load` against the bundle, and against a door that loses what it accepts.

use std::process::{Command, Output};

use axum::Router;
use axum::routing::any;

use crate::stack::Stack;

/// Runs the program of `make load` as a person does.
async fn load(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command.args(arguments).args(["--env-file", &testkit::database::env("BUNDLE_ENV")]);
    for name in
        ["BASE_URL", "PUBLIC_BASE_URL", "DATABASE_URL", "ELEVENLABS_WEBHOOK_SECRET", "SIGNALWIRE_SIGNING_SECRET"]
    {
        command.env_remove(name);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn words(output: &Output) -> (String, String) {
    let [told, progress] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (told, progress)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_webhook_that_load_sends_is_in_postgresql() {
    let stack = Stack::open().await;
    let calls = "select count(*) from calls where requested_by = 'load'";
    let stored = "select count(*) from conversations n join calls c on c.id::text = n.call_id \
        where c.requested_by = 'load' and c.transcript = 'stored' and n.turns > 50";
    let before = [stack.count(calls).await, stack.count(stored).await];
    let output = load(&["--rate", "4", "--seconds", "3"]).await;
    let (told, progress) = words(&output);
    assert!(output.status.success(), "{told}{progress}");
    assert!(told.contains("sent      12 in") && told.contains("accepted  12\n"), "{told}");
    assert!(told.contains("refused   none\n") && told.contains("stored    12/12 in PostgreSQL"), "{told}");
    assert_eq!([stack.count(calls).await - before[0], stack.count(stored).await - before[1]], [6, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_and_never_arrives_is_told_of_and_the_exit_code_is_1() {
    // It accepts all transcriptions and refuses all callbacks, and keeps nothing.
    let door = Router::new()
        .route("/api/webhooks/elevenlabs", any(async || ""))
        .fallback(async || http::StatusCode::FORBIDDEN);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, door).await.unwrap() });
    let output = load(&["--rate", "10", "--seconds", "1", "--drain", "1", "--url", &url]).await;
    let (told, progress) = words(&output);
    assert_eq!(output.status.code(), Some(1), "{told}{progress}");
    assert!(told.contains("accepted  5\n") && told.contains("refused   403: 5\n"), "{told}");
    assert!(told.contains("stored    0/5 in PostgreSQL") && told.contains("missing   5\n"), "{told}");
    assert!(progress.contains("waiting for 5 of 5"), "{progress}");
}
