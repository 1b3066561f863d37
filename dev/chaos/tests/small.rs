//! Small runs, so that every change meets chaos. The big ones are `make chaos`.

use chaos::{Settings, run, run_and_change};

async fn nothing_differs(seed: u64, drop_all_webhooks: bool) {
    let settings = Settings { calls: 40, seed, drop_all_webhooks, restarts: 2 };
    let verdict = run(&settings, &|_| {}).await;
    assert!(verdict.is_good(), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_calls_settle_as_the_book_says() {
    nothing_differs(1, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_other_calls_settle_as_the_book_says() {
    nothing_differs(2, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_calls_settle_the_same_when_every_webhook_is_lost() {
    nothing_differs(1, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_other_calls_settle_the_same_when_every_webhook_is_lost() {
    nothing_differs(2, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_is_shown_changed_tables_says_so() {
    let settings = Settings { calls: 24, seed: 3, drop_all_webhooks: false, restarts: 1 };
    let changes = [
        "update calls set outcome = 'failed' where id = (select id from calls where outcome = 'answered' order by id limit 1)",
        "update conversations set messages = jsonb_set(messages, '{0,message}', '\"Another word\"')
         where id = (select min(id) from conversations where turns > 3)",
        "update call_recordings set sha256 = repeat('0', 64) where id = (select min(id) from call_recordings)",
        "update call_recordings set storage_path = (select storage_path from call_recordings order by id desc limit 1)
         where id = (select min(id) from call_recordings)",
        "delete from conversations where id = (select max(id) from conversations)",
        "update calls set carrier_sid = 'another' where id = (select max(id::text)::uuid from calls where carrier_sid is not null and connect = 'sip')",
    ];
    let verdict = Box::pin(run_and_change(&settings, &changes, &|_| {})).await;
    let said = verdict.to_string();
    for change in [
        "we say failed",
        "Another word",
        "our row says 0000",
        "the object is another one",
        "it is not here",
        "its carrier id is",
    ] {
        assert!(said.contains(change), "it did not see: {change}\n{said}");
    }
    assert!(!verdict.is_good());
}
