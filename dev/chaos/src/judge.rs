//! The judge: the simulator's own book against our tables. It asks for nothing that the book does not say, and reads the
//! book with its own eyes (`outcome`), not with the product's.

mod contacts;
mod outcome;
mod pieces;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use simulator::book::{Book, ConversationEntry, Dial};
use uuid::Uuid;

use crate::course;
use crate::injected::{Fired, read};
use crate::run::{Agent, Run, Wish};

/// What came of a run.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Calls that are settled.
    pub settled: usize,
    /// Calls that should be.
    pub to_settle: usize,
    /// Calls that are still unknown.
    pub unknown: usize,
    /// Attempts that the carrier never had, given up.
    pub given_up: usize,
    /// Attempts that were dialled more than once, and dials of one number at the same time.
    pub double_dials: usize,
    /// Everything in which the book and our tables differ.
    pub differences: Vec<String>,
    /// Figures of the run.
    pub figures: Vec<String>,
}

impl Verdict {
    /// Whether everything is as promised.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.settled == self.to_settle && self.unknown == 0 && self.double_dials == 0 && self.differences.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.figures {
            writeln!(f, "{line}")?;
        }
        for difference in &self.differences {
            writeln!(f, "difference: {difference}")?;
        }
        writeln!(
            f,
            "settled {}/{}, unknown {}, given up {}, double dials {}, differences {}",
            self.settled,
            self.to_settle,
            self.unknown,
            self.given_up,
            self.double_dials,
            self.differences.len()
        )
    }
}

/// A call as our table has it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) state: String,
    pub(crate) outcome: Option<String>,
    pub(crate) settled: bool,
    pub(crate) asks: i32,
    pub(crate) carrier_sid: Option<String>,
    pub(crate) double_dial: bool,
    pub(crate) transcript: String,
    pub(crate) recording: String,
    pub(crate) duration_secs: Option<i32>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    /// Of a contact's attempt: its campaign.
    pub(crate) campaign: Option<String>,
}

/// Our calls' ids and the dials that carry them: by the voice URL that the carrier was given, or, where the agents' vendor
/// dialled itself, by the variable of the conversation.
pub(crate) fn call_ids(book: &Book) -> BTreeMap<String, Vec<Dial>> {
    let mut dials: BTreeMap<String, Vec<Dial>> = BTreeMap::new();
    for dial in book.dials.values() {
        let by_url = |url: &str| Some(url.split('?').next()?.rsplit('/').next()?.to_owned());
        let by_variable = || {
            let talk = book.conversations.values().find(|talk| talk.dial_sid.as_ref() == Some(&dial.sid))?;
            talk.variables["call_id"].as_str().map(str::to_owned)
        };
        let id = dial.url.as_deref().map_or_else(by_variable, by_url).unwrap_or_default();
        dials.entry(id).or_default().push(dial.clone());
    }
    dials
}

/// Looks at everything.
pub(crate) async fn look(run: &Run, took: Duration) -> Verdict {
    let (dials, overlapping, conversations) =
        run.world.vendors.book(|book| (call_ids(book), book.overlapping(), book.conversations.clone()));
    let mut verdict = Verdict::default();
    verdict.differences.append(&mut run.wrong.lock().unwrap());
    let mut wishes = run.wishes.lock().unwrap().clone();
    let rows = calls(run).await;
    wishes.extend(rows.values().filter_map(|row| Some((row.id.parse().ok()?, planned(run, row)?))));
    let coded = course::switches(run).await["error_shape"] != "bare";
    for id in dials.keys().filter(|id| !rows.contains_key(*id)) {
        verdict.differences.push(format!("{id}: the carrier dialled for it, and there is no such call"));
    }
    for id in rows.keys().filter(|id| !id.parse::<Uuid>().is_ok_and(|id| wishes.contains_key(&id))) {
        verdict.differences.push(format!("{id}: nobody wished for it"));
    }
    verdict.double_dials = overlapping.len();
    for (one, other) in overlapping {
        verdict.differences.push(format!("{one} and {other}: dials of one number at the same time"));
    }
    for (id, wish) in &wishes {
        let none = Vec::new();
        let dialled = dials.get(&id.to_string()).unwrap_or(&none);
        match rows.get(&id.to_string()) {
            Some(row) => judge(&mut verdict, row, wish, dialled, &conversations, coded),
            None => verdict.differences.push(format!("{id}: it was taken, and is lost")),
        }
    }
    let mut of_contacts = Verdict::default();
    contacts::look(run, &mut of_contacts, &dials, &conversations).await;
    verdict.differences.append(&mut of_contacts.differences);
    pieces::look(run, &mut verdict, &dials, &conversations, &rows).await;
    explain(run, &mut verdict).await;
    figures(run, &mut verdict, took, dials.values().map(Vec::len).sum()).await;
    verdict.figures.append(&mut of_contacts.figures);
    verdict
}

/// The wish behind a campaign's attempt: its number is in the campaign's plan.
fn planned(run: &Run, row: &Row) -> Option<Wish> {
    let campaign: Uuid = row.campaign.as_ref()?.parse().ok()?;
    let plan = run.campaigns.iter().find(|plan| plan.id.get() == Some(&campaign))?;
    plan.numbers.contains(&row.to).then(|| Wish { to: row.to.clone(), agent: plan.agent })
}

fn judge(
    verdict: &mut Verdict,
    row: &Row,
    wish: &Wish,
    dials: &[Dial],
    conversations: &BTreeMap<String, ConversationEntry>,
    coded: bool,
) {
    let mut differ = |what: String| verdict.differences.push(format!("{} to {}: {what}", row.id, row.to));
    if dials.len() > 1 {
        differ(format!("dialled {} times: {:?}", dials.len(), dials.iter().map(|d| &d.sid).collect::<Vec<_>>()));
    }
    if row.to != wish.to {
        differ(format!("it was to go to {}", wish.to));
    }
    if row.double_dial != (dials.len() > 1) {
        differ(format!("our flag for a double dial says {}", row.double_dial));
    }
    let given_up = row.outcome.as_deref() == Some("unknown");
    let ours = row.outcome.as_deref().unwrap_or("nothing yet");
    if let Some(dial) = dials.first() {
        if dial.ended_at.is_none() {
            differ(format!("the book has it as {} to this moment", dial.status));
        }
        if given_up {
            differ(format!("given up, and the carrier has it as {} ({:?})", dial.status, dial.sip_code));
        }
        if wish.agent != Agent::Trunk && row.carrier_sid.as_ref() != Some(&dial.sid) {
            differ(format!("its carrier id is {}, we say {:?}", dial.sid, row.carrier_sid));
        }
        let talks: Vec<&ConversationEntry> =
            conversations.values().filter(|talk| talk.dial_sid.as_ref() == Some(&dial.sid)).collect();
        let expected = outcome::of(dial, &talks, wish.agent);
        if !expected.contains(&ours) {
            differ(format!("the book says {}, we say {ours}; {}", expected.join(" or "), outcome::facts(dial, &talks)));
        }
        let secs = u32::try_from(row.duration_secs.unwrap_or(0)).unwrap_or(0);
        if secs != 0 && secs != dial.duration {
            differ(format!("it lasted {} s, we say {secs}", dial.duration));
        }
    } else if !outcome::without_a_dial(row, coded) {
        differ(format!("the carrier never had it, we say {ours} after {} asks", row.asks));
    }
    let counted_apart = given_up && dials.is_empty();
    verdict.given_up += usize::from(given_up);
    verdict.unknown += usize::from(row.state == "unknown");
    verdict.double_dials += usize::from(dials.len() > 1);
    verdict.to_settle += usize::from(!counted_apart);
    verdict.settled += usize::from(row.settled);
    if !row.settled && !counted_apart {
        verdict.differences.push(format!(
            "{} to {}: not settled: {} {ours}, transcript {}, recording {}",
            row.id, row.to, row.state, row.transcript, row.recording
        ));
    }
}

async fn calls(run: &Run) -> BTreeMap<String, Row> {
    let sql = "select id::text, to_number, state, outcome, settled_at is not null, asks, carrier_sid, double_dial, transcript,
        recording, duration_secs, ended_at, expires_at, case when contact_id is not null then campaign_id end from calls";
    let read = |row: &tokio_postgres::Row| Row {
        id: row.get(0),
        to: row.get(1),
        state: row.get(2),
        outcome: row.get(3),
        settled: row.get(4),
        asks: row.get(5),
        carrier_sid: row.get(6),
        double_dial: row.get(7),
        transcript: row.get(8),
        recording: row.get(9),
        duration_secs: row.get(10),
        ended_at: row.get(11),
        expires_at: row.get(12),
        campaign: row.get(13),
    };
    run.rows(sql).await.iter().map(read).map(|row| (row.id.clone(), row)).collect()
}

/// Adds to the first differences what was learnt about their calls.
async fn explain(run: &Run, verdict: &mut Verdict) {
    for difference in verdict.differences.iter_mut().take(20) {
        let Some(id) = difference.split([' ', ':']).next().and_then(|id| id.parse::<Uuid>().ok()) else { continue };
        let sql = format!("select fact::text from call_events where call_id = '{id}' order by received_at");
        let facts: Vec<String> = run.rows(&sql).await.iter().map(|row| row.get(0)).collect();
        let _ = write!(difference, "\n    what we learnt: {}", facts.join(" "));
    }
}

/// The figures, and whether the run did what it was to do: one in which nothing went wrong proves nothing.
async fn figures(run: &Run, verdict: &mut Verdict, took: Duration, dials: usize) {
    let fired = Fired::read(&course::rules(run).await);
    let own = &run.counters;
    let outcomes = run.rows("select coalesce(outcome, 'none'), count(*) from calls group by 1 order by 2 desc").await;
    let outcomes: Vec<String> =
        outcomes.iter().map(|row| format!("{} {}", row.get::<_, &str>(0), row.get::<_, i64>(1))).collect();
    let healed = run.number("select count(*) from calls where healed_at is not null").await;
    let faults: Vec<String> = fired.by_kind.iter().map(|(what, times)| format!("{what} {times}")).collect();
    let trunk = run.world.vendors.book(|book| book.dials.values().filter(|d| d.placed_by == "elevenlabs").count());
    let minutes = run.minutes.load(std::sync::atomic::Ordering::Relaxed);
    verdict.figures = vec![
        format!(
            "seed {}, {} wishes taken, {dials} dials ({trunk} through the trunk), {} s, {}:{:02} h of the run's own time{}",
            run.settings.seed,
            run.taken(),
            took.as_secs(),
            minutes / 60,
            minutes % 60,
            if run.settings.drop_all_webhooks { ", every webhook and callback lost" } else { "" },
        ),
        format!("vendors: {}", faults.join(", ")),
        format!(
            "ourselves: PostgreSQL away {} ({} killed), messages redelivered {}, handlers dropped {}, handlers that asked for \
             another try {}, schedules that failed {}",
            read(&own.restarts),
            read(&own.crashes),
            read(&own.redelivered),
            read(&own.dropped),
            read(&own.retried),
            read(&own.schedule_failed),
        ),
        format!(
            "callers: {} wishes sent twice, {} sent again, {} found their number busy, {} were for one who had said no; \
             {} pauses, {} times a campaign that had paused itself was let go on",
            read(&own.sent_twice),
            read(&own.sent_again),
            read(&own.busy),
            read(&own.refused),
            read(&own.paused),
            read(&own.insisted),
        ),
        format!("outcomes: {}; healed by reconcile {healed}", outcomes.join(", ")),
    ];
    let injected = [
        ("webhooks dropped", fired.of("webhooks dropped")),
        ("webhooks doubled", fired.of("webhooks doubled")),
        ("vendor errors", fired.of("vendor reads failed") + fired.of("call refused or not taken")),
        ("PostgreSQL restarted", read(&own.restarts)),
        ("messages redelivered", read(&own.redelivered)),
        ("handlers dropped", read(&own.dropped)),
        ("dials through the trunk", u64::try_from(trunk).unwrap_or(0)),
    ];
    for (what, _) in injected.iter().filter(|(_, times)| *times == 0) {
        verdict.differences.push(format!("the run proves nothing: {what} 0"));
    }
    // What is given up without a reason is lost, whatever it is called.
    let reasons = fired.never_taken + read(&own.dropped_placing) + read(&own.restarts) * 10;
    if u64::try_from(verdict.given_up).unwrap_or(0) > reasons {
        verdict.differences.push(format!("{} given up, and only {reasons} reasons for it", verdict.given_up));
    }
}
