//! The form that makes a campaign: what it says goes through the API's own reader, and what that finds wrong stands beside
//! its field.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::campaign::Settings;
use elevenwire::store::agents::Agent;
use elevenwire::store::campaigns::Campaign;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::errors::{Refused, Shown, see_other};
use super::text;
use super::visit::{Fields, Tab, Visit, field};
use crate::App;
use crate::campaigns::{incomplete, stored, wished};
use crate::wrong;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/campaigns/new", get(page).post(make))
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const PURPOSES: [(&str, &str); 3] = [
    ("marketing", "Marketing: it sells, or asks for a renewal"),
    ("informational", "Informational: an appointment, a delivery, a service that they have"),
    ("emergency", "Emergency: danger to health or safety"),
];
const TEXTS: [(&str, &str, &str); 4] = [
    ("texts.identity", "Who calls", "This is Corner Shop, 415 555 0100"),
    ("texts.ai_disclosure", "That a machine speaks", "I am an automated assistant"),
    ("texts.recording", "That it is recorded", "This call is recorded"),
    ("texts.opt_out", "How to say no", "Say \"stop calling\" and we will not call again"),
];

/// What was typed, and what is wrong with it: field, problem, mend.
struct Draft<'d> {
    fields: &'d Fields,
    errors: &'d [[String; 3]],
}

async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let agents = app.store.agents().await?;
    let settings = Settings::default();
    let mut fields: Fields = DAYS.iter().map(|day| ("day".to_owned(), (*day).to_owned())).collect();
    let numbers = [
        ("rate", settings.rate.to_string()),
        ("max_concurrent", settings.max_concurrent.to_string()),
        ("max_attempts", settings.max_attempts.to_string()),
    ];
    fields.extend(numbers.map(|(name, value)| (name.to_owned(), value)));
    Ok(shown(&visit, &agents, &Draft { fields: &fields, errors: &[] }))
}

async fn make(State(app): State<Arc<App>>, visit: Visit, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Call, &fields)?;
    let refused = match made(&app, &fields).await {
        Ok(campaign) => return Ok(see_other(&format!("{}?done=made", campaign.id))),
        Err(refused) => refused,
    };
    let Some(errors) = refused.errors() else { return Err(refused) };
    let agents = app.store.agents().await?;
    let page = shown(&visit, &agents, &Draft { fields: &fields, errors });
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// As the API makes one; and complete, because a draft cannot be changed here.
async fn made(app: &App, fields: &Fields) -> Result<Campaign, Refused> {
    let campaign = wished(app, &body(fields)).await?;
    let missing = campaign.missing();
    if !missing.is_empty() {
        return Err(wrong(incomplete(&missing)).into());
    }
    Ok(stored(app, campaign).await?)
}

/// The form as the API would be sent it. What is empty is not sent.
fn body(fields: &Fields) -> Value {
    let given = |name: &str| Some(field(fields, name).trim()).filter(|text| !text.is_empty());
    let mut body = Map::new();
    for name in ["name", "agent", "from", "purpose"] {
        body.extend(given(name).map(|text| (name.to_owned(), text.into())));
    }
    for name in ["rate", "max_concurrent", "max_attempts"] {
        let number = |text: &str| serde_json::from_str(text).ok().filter(Value::is_number);
        body.extend(given(name).map(|text| (name.to_owned(), number(text).unwrap_or_else(|| text.into()))));
    }
    let texts =
        TEXTS.iter().filter_map(|(name, _, _)| Some((name.strip_prefix("texts.")?.to_owned(), given(name)?.into())));
    let texts: Map<String, Value> = texts.collect();
    if !texts.is_empty() {
        body.insert("texts".to_owned(), texts.into());
    }
    let days: Vec<&str> = DAYS.into_iter().filter(|day| ticked(fields, day)).collect();
    let (from, to) = (given("window_from"), given("window_to"));
    if from.is_some() || to.is_some() || days.len() < DAYS.len() {
        let window = json!([{ "from": from.unwrap_or("00:00"), "to": to.unwrap_or("24:00") }]);
        let windows: Map<String, Value> = days.iter().map(|day| ((*day).to_owned(), window.clone())).collect();
        // A text, which the reader refuses: a campaign that may call on no day never ends.
        let windows = if windows.is_empty() { "no day".into() } else { windows.into() };
        body.insert("windows".to_owned(), windows);
    }
    body.into()
}

fn ticked(fields: &Fields, day: &str) -> bool {
    fields.iter().any(|(name, value)| name == "day" && value == day)
}

fn shown(visit: &Visit, agents: &[Agent], draft: &Draft) -> Response {
    let main = html! {
        p class="crumb" { a href=(visit.to("campaigns")) { "Campaigns" } }
        h1 { "New campaign" }
        @if !visit.may(Scope::Call) { p { "Your token may only look." } }
        @else if agents.is_empty() { p class="none" { "No agent is registered yet, and somebody has to speak: see " a href=(visit.to("agents")) { "Agents" } "." } }
        @else { (form(visit, agents, draft)) }
    };
    visit.page("New campaign", Tab::Campaigns, &main)
}

fn form(visit: &Visit, agents: &[Agent], draft: &Draft) -> Markup {
    let agent = agents.iter().map(|agent| (agent.name.as_str(), agent.name.clone())).collect::<Vec<_>>();
    let callers = agents.iter().flat_map(|agent| &agent.caller_ids);
    let mut from: Vec<(&str, String)> = callers.map(|number| (number.as_str(), text::number(number))).collect();
    from.sort();
    from.dedup();
    let purposes = PURPOSES.map(|(word, words)| (word, words.to_owned()));
    html! {
        @if !draft.errors.is_empty() { p class="notice bad" role="alert" { "It was not made: see what is marked below." } }
        form method="post" action=(visit.to("campaigns/new")) class="stack wide" {
            (visit.seal())
            (draft.input("name", "Name", &html! { input id="name" name="name" value=(field(draft.fields, "name")) required maxlength="200" aria-describedby="name-wrong"; }))
            (draft.choice("agent", "Agent", if agents.len() > 1 { Some("Choose") } else { None }, &agent))
            (draft.choice("from", "Caller id", Some("Any of the agent's"), &from))
            (draft.choice("purpose", "Purpose (what the law asks differs, so there is no default)", Some("Choose"), &purposes))
            fieldset {
                legend { "What a marketing call must say" }
                p class="hint" { "All four, for marketing; else they may be left out. They reach the agent as variables." }
                @for (name, label, example) in TEXTS {
                    (draft.input(name, label, &html! { input id=(name) name=(name) value=(field(draft.fields, name)) maxlength="1000" placeholder=(example) aria-describedby={ (name) "-wrong" }; }))
                }
            }
            (hours(draft))
            fieldset class="three" {
                legend { "How fast" }
                (draft.number("rate", "Calls a second, at most", "0.001", "100", "any"))
                (draft.number("max_concurrent", "On the line at once", "1", "10000", "1"))
                (draft.number("max_attempts", "Attempts for each person", "1", "20", "1"))
            }
            p class="hint" { "It is made as a draft that calls nobody: then import people, try the list, and start it." }
            div { button class="main" { "Make it" } }
        }
    }
}

fn hours(draft: &Draft) -> Markup {
    html! { fieldset {
        legend { "When, in the callee's time" }
        p class="hint" { "All days and no hours: whenever the law allows it. What you choose here narrows that and never widens it." }
        div class="actions" { @for day in DAYS {
            label class="check" { input type="checkbox" name="day" value=(day) checked[ticked(draft.fields, day)]; span { (day[..1].to_uppercase()) (day[1..3]) } }
        } }
        div class="three" {
            @for (name, label) in [("window_from", "From"), ("window_to", "To")] {
                label { span { (label) } input type="time" name=(name) value=(field(draft.fields, name)); }
            }
        }
        (draft.wrong("windows"))
    } }
}

impl Draft<'_> {
    /// What is wrong with a field, or with a part of it.
    fn wrong(&self, name: &str) -> Markup {
        let of = |known: &str| known == name || known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        html! { span id={ (name) "-wrong" } class="wrong" {
            @for [_, problem, mend] in self.errors.iter().filter(|[known, _, _]| of(known)) { "It " (text::plain(problem)) ". " (text::plain(mend)) " " }
        } }
    }

    fn input(&self, name: &str, label: &str, input: &Markup) -> Markup {
        html! { div { label for=(name) { span { (label) } } (input) (self.wrong(name)) } }
    }

    fn number(&self, name: &str, label: &str, least: &str, most: &str, step: &str) -> Markup {
        let value = field(self.fields, name);
        self.input(name, label, &html! { input id=(name) type="number" name=(name) value=(value) min=(least) max=(most) step=(step) aria-describedby={ (name) "-wrong" }; })
    }

    /// One of several; `none` is what stands for nothing.
    fn choice(&self, name: &str, label: &str, none: Option<&str>, choices: &[(&str, String)]) -> Markup {
        let chosen = field(self.fields, name);
        self.input(name, label, &html! { select id=(name) name=(name) required[name != "from"] aria-describedby={ (name) "-wrong" } {
            @if let Some(none) = none { option value="" { (none) } }
            @for (value, words) in choices { option value=(value) selected[*value == chosen] { (text::plain(words)) } }
        } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Value {
        body(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn every_day_and_no_hours_is_no_window_and_anything_else_is_one() {
        let every: Vec<(&str, &str)> = DAYS.iter().map(|day| ("day", *day)).collect();
        assert_eq!(of(&every), json!({}));
        let early: Vec<(&str, &str)> = every.iter().copied().chain([("window_to", "12:00")]).collect();
        assert_eq!(of(&early)["windows"]["sunday"], json!([{ "from": "00:00", "to": "12:00" }]));
        let monday = json!({ "monday": [{ "from": "09:30", "to": "24:00" }] });
        assert_eq!(of(&[("day", "monday"), ("window_from", "09:30")])["windows"], monday);
    }

    #[test]
    fn numbers_are_numbers_and_what_is_none_is_left_to_the_reader() {
        let every: Vec<(&str, &str)> = DAYS.iter().map(|day| ("day", *day)).collect();
        let with = |pairs: &[(&'static str, &'static str)]| {
            of(&every.iter().copied().chain(pairs.iter().copied()).collect::<Vec<_>>())
        };
        assert_eq!(with(&[("rate", "0.5"), ("max_attempts", "x")]), json!({ "rate": 0.5, "max_attempts": "x" }));
        assert_eq!(
            with(&[("texts.identity", "Ava "), ("texts.opt_out", " ")]),
            json!({ "texts": { "identity": "Ava" } })
        );
    }
}
