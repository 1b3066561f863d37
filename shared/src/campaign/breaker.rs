//! When a campaign stops itself: failures, opt-outs, money, and people who picked up and heard nobody.

use super::Budget;

/// Outcomes are counted over this many last attempts.
pub const LAST_ATTEMPTS: i64 = 50;
/// With fewer than that nothing is said.
const ENOUGH_ATTEMPTS: u32 = 20;
/// Answers that are needed before the share of the abandoned means something.
const ENOUGH_ANSWERS: u32 = 100;
/// 47 CFR 64.1200(a)(7): at most three percent of the calls that a live person answers, measured over thirty days.
const ABANDONED_PERCENT: u32 = 3;
/// Of the last attempts, a share that wants a person.
const FAILED_PERCENT: u32 = 50;
const OPT_OUT_PERCENT: u32 = 20;
/// Network refusals of one caller id among its last attempts, from which on it rests.
const BLOCKED_PERCENT: u32 = 30;
/// How long a caller id rests that networks refuse.
pub const REST_HOURS: i64 = 24;

/// Why a campaign cannot go on that has no caller id left.
pub const ALL_REST: &str = "networks refuse all its caller ids: they rest for a day";

/// What is counted of a campaign.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Of the last [`LAST_ATTEMPTS`]: all that ended.
    pub last: u32,
    /// … failed by our side or the carrier's.
    pub failed: u32,
    /// … after which the number was suppressed.
    pub opted_out: u32,
    /// In thirty days: calls that a person answered.
    pub answered_by_people: u32,
    /// … and no agent came.
    pub abandoned: u32,
    /// Attempts in all.
    pub calls: u64,
    /// Money in all.
    pub spend: f64,
}

impl Counts {
    /// What an owner cannot forgive by letting the campaign go on: his budget, and the law's share of the abandoned.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { last: 0, failed: 0, opted_out: 0, ..self }
    }
}

/// Why a campaign must stop; a sentence, and a word for it.
#[must_use]
pub fn trips(counts: &Counts, budget: &Budget) -> Option<(&'static str, String)> {
    let share = |part: u32, whole: u32| part * 100 / whole.max(1);
    if let Some(most) = budget.max_calls
        && counts.calls >= most
    {
        return Some(("budget_calls", format!("its budget of {most} calls is used up")));
    }
    if let Some(most) = budget.max_spend
        && counts.spend >= most
    {
        return Some(("budget_spend", format!("its budget is used up: {:.2} of {most:.2}", counts.spend)));
    }
    // More than three percent, not three and less.
    if counts.answered_by_people >= ENOUGH_ANSWERS
        && counts.abandoned * 100 > counts.answered_by_people * ABANDONED_PERCENT
    {
        let (abandoned, people) = (counts.abandoned, counts.answered_by_people);
        return Some((
            "abandoned",
            format!("{abandoned} of {people} people who answered in 30 days heard no agent: more than 3 percent"),
        ));
    }
    if counts.last < ENOUGH_ATTEMPTS {
        return None;
    }
    if share(counts.failed, counts.last) >= FAILED_PERCENT {
        return Some(("failures", format!("{} of its last {} attempts failed", counts.failed, counts.last)));
    }
    if share(counts.opted_out, counts.last) >= OPT_OUT_PERCENT {
        return Some((
            "opt_outs",
            format!("{} of its last {} attempts ended in an opt-out", counts.opted_out, counts.last),
        ));
    }
    None
}

/// Whether a caller id is refused so often that it must rest: `blocked` of its `last` attempts.
#[must_use]
pub fn caller_id_rests(blocked: u32, last: u32) -> bool {
    last >= ENOUGH_ATTEMPTS && blocked * 100 / last.max(1) >= BLOCKED_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Counts { last: 50, answered_by_people: 1000, ..Counts::default() }
    }

    fn word(counts: Counts, budget: Budget) -> Option<&'static str> {
        trips(&counts, &budget).map(|(word, _)| word)
    }

    #[test]
    fn three_percent_of_the_answers_may_be_abandoned_and_not_one_more() {
        let of = |abandoned| word(Counts { abandoned, ..counts() }, Budget::default());
        assert_eq!((of(30), of(31)), (None, Some("abandoned")));
    }

    #[test]
    fn few_answers_say_nothing_about_the_abandoned() {
        let few = |people| Counts { answered_by_people: people, abandoned: people / 2, ..counts() };
        assert_eq!(word(few(99), Budget::default()), None);
        assert_eq!(word(few(100), Budget::default()), Some("abandoned"));
    }

    #[test]
    fn half_of_the_last_attempts_failing_stops_it_once_there_are_twenty() {
        let of = |failed, last| word(Counts { last, failed, ..counts() }, Budget::default());
        assert_eq!((of(24, 50), of(25, 50)), (None, Some("failures")));
        assert_eq!((of(19, 19), of(10, 20)), (None, Some("failures")));
    }

    #[test]
    fn one_in_five_who_opts_out_stops_it() {
        let of = |opted_out| word(Counts { opted_out, ..counts() }, Budget::default());
        assert_eq!((of(9), of(10)), (None, Some("opt_outs")));
    }

    #[test]
    fn a_budget_is_a_bound_and_not_a_hint() {
        let calls = |calls| word(Counts { calls, ..counts() }, Budget { max_calls: Some(100), ..Budget::default() });
        assert_eq!((calls(99), calls(100)), (None, Some("budget_calls")));
        let spend = |spend| word(Counts { spend, ..counts() }, Budget { max_spend: Some(5.0), ..Budget::default() });
        assert_eq!((spend(4.99), spend(5.0)), (None, Some("budget_spend")));
    }

    #[test]
    fn a_caller_id_that_networks_refuse_rests() {
        assert!(!caller_id_rests(5, 20));
        assert!(caller_id_rests(6, 20));
        assert!(!caller_id_rests(19, 19));
    }
}
