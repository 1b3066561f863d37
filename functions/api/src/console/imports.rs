//! A file of people: tried first or taken, what it would come to, and its bad rows.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::campaign::State as Standing;
use elevenwire::contact::SMALL_FILE;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::campaigns::Campaign;
use elevenwire::store::imports::Import;
use maud::{Markup, html};

use super::errors::{Refused, Shown, see_other};
use super::text;
use super::visit::{Fields, Tab, Visit, field};
use crate::App;
use crate::imports::{REPORT_VALID, Wish, known, made, no_bucket, take, too_large};

pub(super) fn routes() -> Router<Arc<App>> {
    // A little more, for the other fields of the form.
    let form = DefaultBodyLimit::max(SMALL_FILE + 16 * 1024);
    Router::new()
        .route("/console/campaigns/{id}/imports", post(send).layer(form))
        .route("/console/campaigns/{id}/imports/{import}", get(page))
        .route("/console/campaigns/{id}/imports/{import}/bad-rows", get(report))
}

/// Bad rows that a page shows, where there are so few that the report is small.
const SHOWN: usize = 50;
const FEW: i64 = 2000;

/// A campaign's imports, and the form for another one.
pub(super) fn section(visit: &Visit, campaign: &Campaign, imports: &[Import]) -> Markup {
    let takes = !matches!(campaign.state, Standing::Canceled | Standing::Finished);
    html! { section {
        h2 { "Imports" }
        @if takes && visit.may(Scope::Call) {
            form method="post" enctype="multipart/form-data" class="filters" action=(visit.to(&format!("campaigns/{}/imports", campaign.id))) {
                (visit.seal())
                label { span { "CSV of people, at most 1 MB" } input type="file" name="file" accept=".csv,text/csv" required; }
                label class="check" { input type="checkbox" name="default_country" value="US"; span { "Numbers without + are of the US" } }
                button name="dry_run" value="yes" { "Try it first" }
                button name="dry_run" value="no" { "Import" }
            }
            p class="hint" { "To try it first changes nothing: it says what the guard would say of everybody, and names the bad rows." }
            p class="hint" { "A file over 1 MB (up to 500 MB) goes straight to the bucket: " code { "elevenwire campaign import " (campaign.id) " FILE.csv --dry-run" } ", then the same without " code { "--dry-run" } "." }
        }
        @if imports.is_empty() { p class="none" { "None yet." } } @else { table {
            thead { tr { th scope="col" { "File" } th scope="col" { "State" } th scope="col" { "Rows" } th scope="col" { "Taken" } th scope="col" { "Bad" } th scope="col" { "Made" } } }
            tbody { @for import in imports.iter().take(20) { tr {
                (text::cell("File", &html! { a href=(visit.to(&format!("campaigns/{}/imports/{}", campaign.id, import.id))) { (text::plain(import.filename.as_deref().unwrap_or("a file"))) } @if import.dry_run { " (tried)" } }))
                (text::cell("State", &text::pill(&import.state)))
                (text::cell("Rows", &html! { (text::count(import.rows_read)) }))
                (text::cell("Taken", &html! { (text::count(import.taken)) }))
                (text::cell("Bad", &html! { (text::count(import.bad)) }))
                (text::cell("Made", &text::when(import.created_at)))
            } } }
        } }
    } }
}

async fn page(State(app): State<Arc<App>>, visit: Visit, Path((campaign, import)): Path<(String, String)>) -> Shown {
    let import = known(&app, &campaign, &import).await?;
    let owner = app.store.campaign(import.campaign_id).await?;
    let name = owner.map(|owner| owner.name).unwrap_or_default();
    let rows = match &import.report_key {
        Some(key) if import.bad <= FEW => {
            bad_rows(&String::from_utf8_lossy(&app.blobs.get(key).await.map_err(|error| no_bucket(&error))?))
        }
        _ => Vec::new(),
    };
    let file = import.filename.clone().unwrap_or_else(|| "A file".to_owned());
    let main = html! {
        p class="crumb" { a href=(visit.to("campaigns")) { "Campaigns" } " / " a href=(visit.to(&format!("campaigns/{}", import.campaign_id))) { (text::plain(&name)) } }
        h1 { (text::plain(&file)) }
        div id="import" data-live=[(!over(&import)).then_some("2")] {
            (outcome(&import))
            @if import.bad > 0 { (bad(&visit, &import, &rows)) }
        }
    };
    Ok(visit.page("Import", Tab::Campaigns, &main))
}

fn over(import: &Import) -> bool {
    matches!(import.state.as_str(), "done" | "failed" | "canceled")
}

fn outcome(import: &Import) -> Markup {
    let forecast = import.forecast.as_ref().map(|forecast| text::word(&forecast["sentence"]).into_owned());
    html! {
        p class="lead" {
            (text::pill(&import.state)) " "
            @match (import.state.as_str(), import.dry_run) {
                ("done", true) => "Nothing was changed: this was a trial.",
                ("done", false) => "These people are in the campaign.",
                ("failed" | "canceled", _) => "Nothing of it was taken.",
                _ => "It is being read. This page follows.",
            }
        }
        @if let Some(error) = &import.error { p class="notice bad" { (text::plain(error)) } }
        @if let Some(sentence) = forecast { p id="forecast" { "Forecast: " (sentence) "." } }
        dl class="facts" {
            @for (name, n) in [("Rows read", import.rows_read), (if import.dry_run { "Would be taken" } else { "Taken" }, import.taken), ("Bad", import.bad),
                ("Twice in the file", import.duplicates_in_file), ("In the campaign already", import.duplicates_in_campaign)] {
                div { dt { (name) } dd { (text::count(n)) } }
            }
        }
    }
}

fn bad(visit: &Visit, import: &Import, rows: &[[String; 3]]) -> Markup {
    html! {
        h2 { "Bad rows" }
        @if !rows.is_empty() { table {
            thead { tr { th scope="col" { "Line" } th scope="col" { "Column" } th scope="col" { "What is wrong" } } }
            tbody id="bad-rows" { @for [line, column, reason] in rows { tr {
                (text::cell("Line", &html! { (line) })) (text::cell("Column", &html! { (text::plain(column)) })) (text::cell("What is wrong", &html! { (text::plain(reason)) }))
            } } }
        } }
        p class="further" { a href=(visit.to(&format!("campaigns/{}/imports/{}/bad-rows", import.campaign_id, import.id))) { "All bad rows as CSV" } }
    }
}

/// The first rows of a report: line, column, reason. Only the last field may be quoted.
fn bad_rows(report: &str) -> Vec<[String; 3]> {
    let unquoted = |field: &str| field.trim().trim_matches('"').replace("\"\"", "\"");
    let row = |line: &str| {
        let mut fields = line.splitn(3, ',').map(unquoted);
        Some([fields.next()?, fields.next()?, fields.next()?])
    };
    report.lines().skip(1).filter_map(row).take(SHOWN).collect()
}

async fn report(State(app): State<Arc<App>>, _visit: Visit, Path((campaign, import)): Path<(String, String)>) -> Shown {
    let import = known(&app, &campaign, &import).await?;
    let key = import.report_key.as_ref().ok_or_else(|| Problem::not_found("This import has no bad rows."))?;
    let name = format!("bad-rows-{}.csv", import.id);
    Ok(see_other(&app.blobs.link_to_get(key, REPORT_VALID, &name).await.map_err(|error| no_bucket(&error))?))
}

async fn send(State(app): State<Arc<App>>, visit: Visit, Path(id): Path<String>, mut parts: Multipart) -> Shown {
    let mut fields: Fields = Vec::new();
    let mut file = None;
    let malformed = |error: axum::extract::multipart::MultipartError| match error.status().as_u16() {
        413 => Refused::from(too_large()),
        _ => Problem::new(400, "Bad Request", "The form is malformed.").into(),
    };
    while let Some(part) = parts.next_field().await.map_err(malformed)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            let filename = part.file_name().map(str::to_owned).filter(|name| !name.is_empty());
            file = Some((filename, part.bytes().await.map_err(malformed)?));
        } else {
            fields.push((name, part.text().await.map_err(malformed)?));
        }
    }
    visit.check(Scope::Call, &fields)?;
    let none = || Problem::fields(vec![FieldError::new("file", "is missing", "Choose a CSV of people.")]);
    let (filename, body) = file.filter(|(_, body)| !body.is_empty()).ok_or_else(none)?;
    if body.len() > SMALL_FILE {
        return Err(too_large().into());
    }
    let country = Some(field(&fields, "default_country").to_owned()).filter(|country| !country.is_empty());
    let wish = Wish { filename, dry_run: field(&fields, "dry_run") != "no", default_country: country, bytes: None };
    wish.check()?;
    let campaign = crate::campaigns::id(&id)?;
    let import = made(&app, campaign, &wish, visit.caller.name.clone()).await?;
    take(&app, &import, body, visit.now).await?;
    Ok(see_other(&format!("imports/{}?done=imported", import.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read_as_it_is_written() {
        let rows = bad_rows("line,column,reason\n3,phone_number,is no number\n4,\"\",\"has 3 fields, not 2\"\n");
        assert_eq!(rows, [["3", "phone_number", "is no number"], ["4", "", "has 3 fields, not 2"]]);
    }
}
