//! What the carrier charged for calls that are over. One list tells of many calls, so that a long campaign costs few questions.

use std::collections::HashMap;

use elevenwire::retry::Failure;
use elevenwire::signalwire::callback::CallStatus;
use elevenwire::signalwire::record::CallRecord;
use elevenwire::store::costs::Unpriced;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use crate::calls::after;
use crate::{App, Budget};

/// Most calls that one run looks up.
const MOST: i64 = 5_000;
/// One list covers calls that were asked for within so long.
const SPAN_MINUTES: i64 = 60;
/// How far the carrier's clock may be from ours.
const EITHER_WAY_SECS: i64 = 60;
/// From this look on, a leg whose call has a price and that has none itself is free.
const FREE_LEG_LOOKS: u32 = 3;

/// Looks prices up; answers how many were found. What has none yet is looked up again later.
pub async fn look(app: &App, now: Timestamp, budget: Budget) -> Result<usize, Failure> {
    let mut calls = app.store.unpriced(now, MOST).await?;
    calls.sort_by_key(|call| call.from);
    let (mut left, mut priced) = (calls.as_slice(), 0);
    while let Some(first) = left.first().filter(|_| !budget.is_over()) {
        let end = after(first.from, SPAN_MINUTES.minutes());
        let (group, later) = left.split_at(left.partition_point(|call| call.from <= end));
        left = later;
        let until = group.iter().map(|call| call.until).max().unwrap_or(end);
        let (from, until) = (after(first.from, (-EITHER_WAY_SECS).seconds()), after(until, EITHER_WAY_SECS.seconds()));
        let records = app.carrier.list_started(from, until).await?;
        let bills = bills(&records);
        let found: Vec<(Uuid, Option<f64>)> = group.iter().map(|call| (call.call_id, total(call, &bills))).collect();
        app.store.price(&found, now).await?;
        priced += found.iter().filter(|(_, price)| price.is_some()).count();
    }
    Ok(priced)
}

/// What one call of the carrier's costs, with the legs that it made.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Bill {
    own: Option<f64>,
    legs: f64,
    /// A leg has no price, or is not over.
    open: bool,
}

/// By the carrier's id of the call that was asked for.
fn bills(records: &[CallRecord]) -> HashMap<&str, Bill> {
    let mut bills: HashMap<&str, Bill> = HashMap::new();
    for record in records {
        let price = record.usd().filter(|_| is_over(&record.status));
        let bill = bills.entry(record.parent_call_sid.as_deref().unwrap_or(&record.sid)).or_default();
        match (&record.parent_call_sid, price) {
            (None, price) => bill.own = price,
            (Some(_), Some(price)) => bill.legs += price,
            (Some(_), None) => bill.open = true,
        }
    }
    bills
}

fn is_over(status: &CallStatus) -> bool {
    elevenwire::call::CarrierStatus::parse(status.as_str()).is_some_and(elevenwire::call::CarrierStatus::is_final)
}

/// `None` unless every call that was made for it has its price.
fn total(call: &Unpriced, bills: &HashMap<&str, Bill>) -> Option<f64> {
    let patient = call.looks < FREE_LEG_LOOKS;
    let price = |sid: &String| {
        let bill = bills.get(sid.as_str()).filter(|bill| !(bill.open && patient))?;
        Some(bill.own? + bill.legs)
    };
    if call.sids.is_empty() { None } else { call.sids.iter().map(price).sum() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(sid: &str, parent: Option<&str>, price: &serde_json::Value) -> CallRecord {
        let record = json!({ "sid": sid, "status": "completed", "parent_call_sid": parent, "price": price });
        CallRecord::from_json(&record).unwrap()
    }

    fn call(sids: &[&str], looks: u32) -> Unpriced {
        let sids = sids.iter().map(|sid| (*sid).to_owned()).collect();
        Unpriced { call_id: Uuid::nil(), sids, from: Timestamp::UNIX_EPOCH, until: Timestamp::UNIX_EPOCH, looks }
    }

    #[test]
    fn a_call_costs_what_all_its_legs_cost_whatever_their_sign() {
        let records = [record("a", None, &json!("-0.0080")), record("b", Some("a"), &json!(0.004))];
        assert_eq!(total(&call(&["a"], 0), &bills(&records)), Some(0.012));
    }

    #[test]
    fn a_leg_without_a_price_is_waited_for_and_then_free() {
        let records = [record("a", None, &json!(0.008)), record("b", Some("a"), &json!(null))];
        assert_eq!(
            (0..4).map(|looks| total(&call(&["a"], looks), &bills(&records))).collect::<Vec<_>>(),
            [None, None, None, Some(0.008)]
        );
    }

    #[test]
    fn a_person_who_was_dialled_twice_costs_both_calls() {
        let records = [record("a", None, &json!(0.008)), record("c", None, &json!(0.016))];
        assert_eq!(total(&call(&["a", "c"], 0), &bills(&records)), Some(0.024));
        assert_eq!(total(&call(&["a", "d"], 9), &bills(&records)), None, "one of them has no price yet");
    }

    #[test]
    fn a_price_in_another_currency_is_none() {
        let mut euros = json!({ "sid": "a", "status": "completed", "price": 0.5, "price_unit": "EUR" });
        assert_eq!(CallRecord::from_json(&euros).unwrap().usd(), None);
        euros["price_unit"] = json!("usd");
        assert_eq!(CallRecord::from_json(&euros).unwrap().usd(), Some(0.5));
    }

    #[test]
    fn a_call_that_is_not_over_has_no_price() {
        let talking = json!({ "sid": "a", "status": "in-progress", "price": 0 });
        let records = [CallRecord::from_json(&talking).unwrap()];
        assert_eq!(total(&call(&["a"], 9), &bills(&records)), None);
    }
}
