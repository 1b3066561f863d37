//! Listing conversations: filters, cursors, order, lag.

use serde_json::{Value, json};

use super::{conversation::Conversation, errors::ApiError};
use crate::{clock, signalwire::create::Form, world::State};

/// One page.
///
/// # Errors
/// `invalid_cursor`, or 422 for a parameter that cannot be read.
pub fn page(state: &State, query: &str) -> Result<Value, ApiError> {
    let form = Form::read(query.as_bytes());
    let size = number(&form, "page_size")?.unwrap_or(30);
    if !(1..=100).contains(&size) {
        return Err(ApiError::schema("page_size"));
    }
    let size = usize::try_from(size).unwrap_or(30);
    let ascending = match form.get("sort_direction") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(ApiError::schema("sort_direction")),
    };
    let filters = Filters::read(&form)?;
    let lag = i64::try_from(state.faults.lag_ms("conversations_list")).unwrap_or(0);
    let newest = clock::now() - jiff::SignedDuration::from_millis(lag);
    // A cursor is the last creation index of the page before, so that later conversations do not shift it.
    let after = cursor(&form)?;
    let beyond = |index: usize| after.is_none_or(|after| if ascending { index > after } else { index < after });
    let all = state.conversation_order.len();
    let indexes: Box<dyn Iterator<Item = usize>> = if ascending { Box::new(0..all) } else { Box::new((0..all).rev()) };
    let mut found = indexes
        .filter(|index| beyond(*index))
        .filter_map(|index| {
            let conversation = state.conversation_order.get(index).and_then(|id| state.conversations.get(id))?;
            Some((index, conversation))
        })
        .filter(|(_, c)| c.started <= newest && filters.accept(c, state));
    let page: Vec<(usize, &Conversation)> = found.by_ref().take(size).collect();
    let more = found.next().is_some();
    let next = page.last().filter(|_| more).map(|(index, _)| format!("cur_{index}"));
    let summaries = form.get("summary_mode") == Some("include");
    let items: Vec<Value> = page.iter().map(|(_, c)| item(c, state.config.time_scale, summaries)).collect();
    Ok(json!({ "conversations": items, "has_more": more, "next_cursor": next }))
}

fn number(form: &Form, name: &str) -> Result<Option<i64>, ApiError> {
    form.get(name).map(|text| text.parse().map_err(|_| ApiError::schema(name))).transpose()
}

fn cursor(form: &Form) -> Result<Option<usize>, ApiError> {
    let invalid = || ApiError {
        status: 400,
        kind: "validation_error",
        code: "invalid_cursor",
        message: "The cursor is invalid or expired".into(),
    };
    let parse = |text: &str| text.strip_prefix("cur_").and_then(|index| index.parse().ok()).ok_or_else(invalid);
    form.get("cursor").map(parse).transpose()
}

struct Filters {
    agent_id: Option<String>,
    user_id: Option<String>,
    after: Option<i64>,
    before: Option<i64>,
    min_secs: Option<i64>,
    max_secs: Option<i64>,
    successful: Option<String>,
    excluded: Vec<String>,
    variables: Vec<(String, String, String)>,
}

impl Filters {
    fn read(form: &Form) -> Result<Self, ApiError> {
        let variable = |text: &str| {
            let mut parts = text.splitn(3, ':').map(str::to_owned);
            let triple = (parts.next()?, parts.next()?, parts.next()?);
            ["eq", "neq", "gt", "gte", "lt", "lte", "in"].contains(&triple.1.as_str()).then_some(triple)
        };
        let variables = form.all("dynamic_variable_params").map(variable).collect::<Option<_>>();
        Ok(Self {
            agent_id: form.get("agent_id").map(str::to_owned),
            user_id: form.get("user_id").map(str::to_owned),
            after: number(form, "call_start_after_unix")?,
            before: number(form, "call_start_before_unix")?,
            min_secs: number(form, "call_duration_min_secs")?,
            max_secs: number(form, "call_duration_max_secs")?,
            successful: form.get("call_successful").map(str::to_owned),
            excluded: form.all("exclude_statuses").map(str::to_owned).collect(),
            variables: variables.ok_or_else(|| ApiError::schema("dynamic_variable_params"))?,
        })
    }

    fn accept(&self, conversation: &Conversation, state: &State) -> bool {
        let start = conversation.started.as_second();
        let secs = i64::from(conversation.duration());
        let same = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|w| w == value);
        same(&self.agent_id, &conversation.agent_id)
            && same(&self.user_id, conversation.user_id.as_deref().unwrap_or_default())
            && same(&self.successful, conversation.plan.verdict)
            && self.after.is_none_or(|after| start >= after)
            && self.before.is_none_or(|before| start <= before)
            && self.min_secs.is_none_or(|min| secs >= min)
            && self.max_secs.is_none_or(|max| secs <= max)
            && !self.excluded.iter().any(|s| s == conversation.status)
            && (self.variables.is_empty() || self.variables_match(conversation, state))
    }

    fn variables_match(&self, conversation: &Conversation, state: &State) -> bool {
        let shown = conversation.shown_variables(&state.switches);
        self.variables.iter().all(|(name, op, wanted)| {
            let Some(value) = shown.get(name) else { return op == "neq" };
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let ordering = match (value.parse::<f64>(), wanted.parse::<f64>()) {
                (Ok(a), Ok(b)) => a.partial_cmp(&b),
                _ => Some(value.as_str().cmp(wanted.as_str())),
            };
            match op.as_str() {
                "eq" => value == *wanted,
                "neq" => value != *wanted,
                "gt" => ordering.is_some_and(std::cmp::Ordering::is_gt),
                "gte" => ordering.is_some_and(std::cmp::Ordering::is_ge),
                "lt" => ordering.is_some_and(std::cmp::Ordering::is_lt),
                "lte" => ordering.is_some_and(std::cmp::Ordering::is_le),
                _ => wanted.split(',').any(|one| one == value),
            }
        })
    }
}

/// A list item carries neither variables nor the phone call.
fn item(conversation: &Conversation, scale: f64, summaries: bool) -> Value {
    let elapsed = conversation.elapsed(scale);
    let last = conversation.is_final();
    let plan = &conversation.plan;
    let tools: Vec<&str> = plan.turns.iter().filter_map(|t| t.tool.as_ref().map(|t| t.name)).collect();
    json!({
        "agent_id": conversation.agent_id,
        "branch_id": null,
        "version_id": null,
        "agent_name": conversation.agent_name,
        "conversation_id": conversation.id,
        "start_time_unix_secs": conversation.started.as_second(),
        "call_duration_secs": clock::whole_secs(elapsed),
        "message_count": conversation.turns_until(elapsed).len(),
        "status": conversation.status,
        "termination_reason": if last { plan.termination_reason.as_str() } else { "" },
        "call_successful": if last { plan.verdict } else { "unknown" },
        "call_success_score": null,
        "transcript_summary": (last && summaries).then_some(plan.summary.as_str()),
        "call_summary_title": last.then_some(plan.title),
        "main_language": "en",
        "conversation_initiation_source": "sip_trunk",
        "tool_names": tools,
        "direction": conversation.direction,
        "rating": null,
        "sentiment_analysis": null,
        "tag_ids": [],
    })
}
