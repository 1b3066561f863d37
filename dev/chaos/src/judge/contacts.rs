//! Every contact of every campaign is accounted for; nobody is called more often than allowed, after he said no, or while
//! his campaign stood still.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use simulator::book::{ConversationEntry, Dial};

use super::Verdict;
use crate::campaigns::MAX_ATTEMPTS;
use crate::course::RATE;
use crate::run::Run;

/// Outcomes after which a contact is called again, if it may be.
const AGAIN: [&str; 6] = ["busy", "no_answer", "failed", "abandoned", "network_blocked", "canceled"];

/// Dials that may come late at once: as many as handlers are at work when the run's clock leaps.
const LATE: usize = 40;

/// Looks at all contacts and all dials.
pub(super) async fn look(
    run: &Run,
    verdict: &mut Verdict,
    dials: &BTreeMap<String, Vec<Dial>>,
    conversations: &BTreeMap<String, ConversationEntry>,
) {
    let refusals = refusals(dials, conversations);
    accounts(run, verdict, &refusals).await;
    pauses(run, verdict, dials).await;
    for dial in dials.values().flatten() {
        let said = refusals.get(&dial.to);
        if let (Some(said), Some(asked)) = (said, dial.requested_at)
            && asked >= *said
        {
            verdict.differences.push(format!("{}: {} was dialled after its owner had said no", dial.sid, dial.to));
        }
    }
    let most = most_in_a_second(dials.values().flatten());
    let queued = run.world.vendors.book(|book| book.max_queue_depth);
    verdict
        .figures
        .push(format!("pace: at most {most} dials in a second of {RATE}, at most {queued} in the carrier's queue"));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let bound = 3 * RATE as usize + LATE;
    if most > bound {
        verdict.differences.push(format!("{most} dials in one second, at {RATE} a second"));
    }
}

/// By number: when its owner had asked not to be called any more, by what was spoken.
fn refusals(
    dials: &BTreeMap<String, Vec<Dial>>,
    conversations: &BTreeMap<String, ConversationEntry>,
) -> BTreeMap<String, Timestamp> {
    let spoken: BTreeSet<&str> = conversations
        .values()
        .filter(|talk| talk.status == "done" && talk.termination_reason.starts_with("end_call"))
        .filter_map(|talk| talk.dial_sid.as_deref())
        .collect();
    let mut refusals: BTreeMap<String, Timestamp> = BTreeMap::new();
    for dial in dials.values().flatten().filter(|dial| dial.fate == "opt_out" && spoken.contains(dial.sid.as_str())) {
        if let Some(ended) = dial.ended_at {
            let first = refusals.entry(dial.to.clone()).or_insert(ended);
            *first = ended.min(*first);
        }
    }
    refusals
}

/// Each planned contact is there and done, and its end is what its attempts came to.
async fn accounts(run: &Run, verdict: &mut Verdict, refusals: &BTreeMap<String, Timestamp>) {
    let sql = "select k.campaign_id::text, k.number, k.status, k.outcome, c.outcome,
            (select count(*) from calls o where o.contact_id = k.id and o.asks > 0),
            (select count(*) from calls o where o.contact_id = k.id and o.asks > 0 and o.outcome = c.outcome)
        from contacts k left join calls c on c.id = k.last_call";
    let mut planned: BTreeSet<(String, String)> = BTreeSet::new();
    for plan in &run.campaigns {
        let id = plan.id.get().map(ToString::to_string).unwrap_or_default();
        planned.extend(plan.numbers.iter().map(|number| (id.clone(), number.clone())));
    }
    let contacts = planned.len();
    let mut done = 0;
    for row in run.rows(sql).await {
        let (campaign, number): (String, String) = (row.get(0), row.get(1));
        let mut differ = |what: String| verdict.differences.push(format!("contact {number} of {campaign}: {what}"));
        if !planned.remove(&(campaign.clone(), number.clone())) {
            differ("nobody planned it, or it is there twice".to_owned());
        }
        let outcome: Option<&str> = row.get(3);
        let last: Option<&str> = row.get(4);
        let (asked, same): (i64, i64) = (row.get(5), row.get(6));
        if asked > MAX_ATTEMPTS {
            differ(format!("{asked} attempts"));
        }
        if row.get::<_, &str>(2) != "done" {
            differ(format!("it is {} to this moment", row.get::<_, &str>(2)));
            continue;
        }
        done += 1;
        let fits = match outcome {
            Some("exhausted") => last.is_some_and(|last| AGAIN.contains(&last)) && (asked == MAX_ATTEMPTS || same > 1),
            Some("blocked") => refusals.contains_key(&number),
            outcome => outcome == last,
        };
        if !fits {
            differ(format!("it ended as {outcome:?}, its last attempt as {last:?}, after {asked} attempts"));
        }
    }
    for (campaign, number) in planned {
        verdict.differences.push(format!("contact {number} of {campaign}: it is lost"));
    }
    verdict.figures.push(format!("contacts: {done}/{contacts} done in {} campaigns", run.campaigns.len()));
    let open = run.number("select count(*) from campaigns where state <> 'finished'").await;
    if open > 0 {
        verdict.differences.push(format!("{open} campaigns have not finished"));
    }
}

/// No attempt of a campaign was taken up and dialled while it stood still. (One that was taken up then, and had to wait for
/// the database until the campaign went on, is dialled later.)
async fn pauses(run: &Run, verdict: &mut Verdict, dials: &BTreeMap<String, Vec<Dial>>) {
    let pauses = run.pauses.lock().unwrap().clone();
    for pause in pauses {
        let sql = format!(
            "select id::text, claimed_at from calls where campaign_id = '{}' and claimed_at > '{}' and claimed_at < '{}'",
            pause.campaign, pause.from, pause.to
        );
        for row in run.rows(&sql).await {
            let (id, claimed): (String, Timestamp) = (row.get(0), row.get(1));
            let asked = dials.get(&id).into_iter().flatten().filter_map(|dial| dial.requested_at).min();
            if let Some(asked) = asked.filter(|asked| *asked < pause.to) {
                verdict.differences.push(format!(
                    "{id}: claimed at {claimed} and dialled at {asked} while its campaign stood still, {} to {}",
                    pause.from, pause.to
                ));
            }
        }
    }
}

fn most_in_a_second<'d>(dials: impl Iterator<Item = &'d Dial>) -> usize {
    let mut asked: Vec<Timestamp> = dials.filter_map(|dial| dial.requested_at).collect();
    asked.sort();
    let second = Duration::from_secs(1);
    let within =
        |(at, from): (usize, &Timestamp)| asked[at..].iter().take_while(|time| **time < *from + second).count();
    asked.iter().enumerate().map(within).max().unwrap_or(0)
}
