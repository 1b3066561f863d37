//! The frame around every page.

use elevenwire::auth::Scope;
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::visit::{Place, Tab, Visit};

const PAGES: [(Tab, &str, &str); 7] = [
    (Tab::Overview, "", "Overview"),
    (Tab::Calls, "calls", "Calls"),
    (Tab::Campaigns, "campaigns", "Campaigns"),
    (Tab::Numbers, "numbers", "Numbers"),
    (Tab::Suppressions, "suppressions", "Do not call"),
    (Tab::Agents, "agents", "Agents"),
    (Tab::System, "system", "System"),
];

/// What was done, by the word in the address; only these are ever shown.
const DONE: [(&str, &str); 14] = [
    ("stopped", "Stopped. Nothing that it covers is placed from now on, until it is lifted."),
    ("lifted", "The stop is lifted."),
    ("started", "The campaign runs. Its first calls go out within a minute."),
    ("paused", "The campaign is paused. Whoever is on the line may finish."),
    ("resumed", "The campaign goes on."),
    ("canceled", "The campaign is canceled. Whoever is on the line may finish."),
    ("made", "The campaign is made. Now it needs people."),
    ("imported", "The file was taken. This page shows how far it is."),
    ("suppressed", "The number is not called any more."),
    ("allowed", "The number may be called again."),
    ("kept", "It stays on the list."),
    ("removed", "It was no opt-out: the number may be called again, unless something else suppresses it."),
    ("ended", "The call is being ended."),
    ("known", "The number was on the list already."),
];

fn head(place: Place, title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " · 11Wire" }
        link rel="stylesheet" href={ (place.root()) "assets/" (assets::CSS.name()) };
        link rel="icon" type="image/svg+xml" href={ (place.root()) "assets/" (assets::ICON.name()) };
        script defer src={ (place.root()) "assets/" (assets::JS.name()) } {}
    }
}

/// A page for whoever is not signed in.
pub(super) fn bare(place: Place, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(place, title)) }
            body class="bare" {
                header class="top" { a class="brand" href=(place.home()) { "11Wire" } }
                main id="main" { (main) }
            }
        }
    }
}

/// A page for whoever is.
pub(super) fn page(visit: &Visit, title: &str, tab: Tab, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(visit.place, title)) }
            body {
                a class="skip" href="#main" { "Skip to the page" }
                header class="top" {
                    a class="brand" href=(visit.place.home()) { "11Wire" }
                    nav aria-label="Pages" { (pages(visit, tab)) }
                    div class="who" {
                        @if visit.may(Scope::Call) { a class="stop" href=(visit.to("stop")) { "Stop" } }
                        form method="post" action=(visit.to("sign-out")) {
                            (visit.seal())
                            span class="name" title="The token that you signed in with" { (visit.caller.name) }
                            button class="plain" { "Sign out" }
                        }
                    }
                }
                main id="main" tabindex="-1" { (notice(visit)) (main) }
                footer {
                    span { "Times are in " span id="zone" { "UTC" } "." }
                    span { "11Wire " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    }
}

fn pages(visit: &Visit, tab: Tab) -> Markup {
    html! {
        @for (page, path, name) in PAGES {
            @let address = if path.is_empty() { visit.place.home().to_owned() } else { visit.to(path) };
            a href=(address) aria-current=[(page == tab).then_some("page")] { (name) }
        }
    }
}

fn notice(visit: &Visit) -> Markup {
    let asked = visit.asked("done");
    let done = DONE.iter().find(|(word, _)| *word == asked);
    html! { @if let Some((_, sentence)) = done { p class="notice good" role="status" { (sentence) } } }
}

/// A figure with its name, and where it leads.
pub(super) fn figure(name: &str, value: &Markup, below: &Markup) -> Markup {
    html! { div class="figure" { dt { (name) } dd { (value) } dd class="below" { (below) } } }
}

/// Links to the next page of a list.
pub(super) fn further(address: Option<&str>, on_first: bool, first: &str) -> Markup {
    html! {
        @if address.is_some() || !on_first {
            p class="further" {
                @if !on_first { a href=(first) { "First page" } }
                @if let Some(address) = address { a href=(address) rel="next" { "Next page" } }
            }
        }
    }
}
