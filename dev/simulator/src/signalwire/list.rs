//! Listing calls: filters, pages, and a list that may lag.

use jiff::{Timestamp, fmt::rfc2822};
use serde_json::{Value, json};

use super::{call::Call, create::Form, errors::ApiError};
use crate::{
    clock,
    switches::{CALL_OBJECT, CALL_PRICE},
    world::State,
};

/// One page of the calls that match, newest first.
///
/// # Errors
/// 54453 for a page without its token, 10000 for a filter that cannot be read.
pub fn page(state: &State, query: &str) -> Result<Value, ApiError> {
    let form = Form::read(query.as_bytes());
    let number = |name: &str, default: usize| match form.get(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| ApiError::bad(10_000, format!("{name} is not a number"))),
    };
    let (page, size) = (number("Page", 0)?, number("PageSize", 50)?.clamp(1, 1000));
    let before = before(&form, page, state)?;
    let filters = Filters::read(&form)?;
    let lag = i64::try_from(state.faults.lag_ms("calls_list")).unwrap_or(0);
    let newest = clock::now() - jiff::SignedDuration::from_millis(lag);
    // The token is the creation index of the page's upper end, so new calls do not shift a listing under way.
    let mut matching = (0..before)
        .rev()
        .filter_map(|index| state.call_order.get(index).and_then(|sid| state.calls.get(sid)).map(|call| (index, call)))
        .filter(|(_, call)| call.created <= newest && filters.accept(call));
    let calls: Vec<(usize, &Call)> = matching.by_ref().take(size).collect();
    let next = matching.next().and(calls.last()).map(|(index, _)| *index);
    let account = &state.config.project_id;
    let base = format!("/api/laml/2010-04-01/Accounts/{account}/Calls.json");
    let kept: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageSize" | "PageToken"))
        .collect();
    let uri = |page: usize, token: Option<String>| {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(&kept).append_pair("Page", &page.to_string()).append_pair("PageSize", &size.to_string());
        if let Some(token) = token {
            text.append_pair("PageToken", &token);
        }
        format!("{base}?{}", text.finish())
    };
    let (shape, pricing) = (state.switches.get(CALL_OBJECT), state.switches.get(CALL_PRICE));
    Ok(json!({
        "uri": uri(page, form.get("PageToken").map(str::to_owned)),
        "first_page_uri": uri(0, None),
        "next_page_uri": next.map(|index| uri(page.saturating_add(1), Some(token(index)))),
        "previous_page_uri": (page > 0).then(|| uri(page - 1, Some(format!("PB{before}")))),
        "page": page,
        "page_size": size,
        "calls": calls.iter().map(|(_, call)| call.view(account, if shape == "minimal" { "documented" } else { shape }, pricing))
            .collect::<Vec<_>>(),
    }))
}

fn token(index: usize) -> String {
    format!("PA{index}")
}

fn before(form: &Form, page: usize, state: &State) -> Result<usize, ApiError> {
    let all = state.call_order.len();
    match form.get("PageToken") {
        Some(text) => text
            .strip_prefix("PA")
            .or_else(|| text.strip_prefix("PB"))
            .and_then(|index| index.parse::<usize>().ok())
            .map(|index| index.min(all))
            .ok_or_else(|| ApiError::bad(54_453, "PageToken is not valid")),
        None if page > 0 => Err(ApiError::bad(54_453, "PageToken is required with Page")),
        None => Ok(all),
    }
}

struct Filters {
    texts: Vec<(&'static str, String)>,
    /// Name, comparison, bound; `=` covers the second (or the day) that was named.
    times: Vec<(&'static str, char, Timestamp, Timestamp)>,
}

impl Filters {
    fn read(form: &Form) -> Result<Self, ApiError> {
        let texts = ["Status", "To", "From", "ParentCallSid"];
        let texts = texts.into_iter().filter_map(|n| form.get(n).map(|v| (n, v.to_owned()))).collect();
        let mut times = Vec::new();
        for name in ["StartTime", "EndTime"] {
            for (suffix, how) in [("", '='), ("<", '<'), (">", '>')] {
                if let Some(text) = form.get(&format!("{name}{suffix}")) {
                    let (from, to) = moment(text)
                        .ok_or_else(|| ApiError::bad(10_000, format!("{name}{suffix} is not an RFC 2822 date")))?;
                    times.push((name, how, from, to));
                }
            }
        }
        Ok(Self { texts, times })
    }

    fn accept(&self, call: &Call) -> bool {
        let texts = self.texts.iter().all(|(name, wanted)| match *name {
            "Status" => call.status.rest_word() == wanted,
            "To" => call.spec.to == *wanted,
            "From" => call.spec.from == *wanted,
            _ => call.parent.as_ref() == Some(wanted),
        });
        texts
            && self.times.iter().all(|(name, how, from, to)| {
                let time = if *name == "StartTime" { call.started } else { call.ended };
                // A queued call has no start time, so such a filter misses it.
                time.is_some_and(|time| match how {
                    '<' => time <= *to,
                    '>' => time >= *from,
                    _ => (*from..*to).contains(&time),
                })
            })
    }
}

/// A moment as the span that it names: an RFC 2822 date is a second, `2024-04-04` a day.
fn moment(text: &str) -> Option<(Timestamp, Timestamp)> {
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let from = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        return Some((from, from.checked_add(jiff::SignedDuration::from_hours(24)).ok()?));
    }
    let text = text.replace("GMT", "+0000");
    let at = rfc2822::parse(&text).ok().map(|z| z.timestamp()).or_else(|| text.parse::<Timestamp>().ok())?;
    Some((at, at.checked_add(jiff::SignedDuration::from_secs(1)).ok()?))
}
