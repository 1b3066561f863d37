//! docs/compliance.md shows the rules as they are.

use elevenwire::guard::{Binds, Evidence, FEDERAL, Holiday, Hours, Rule, STATES};

const PAGE: &str = include_str!("../../../../docs/compliance.md");

fn hours(hours: Hours) -> String {
    hours.map_or("none".to_owned(), |(from, to)| format!("{from}-{to}"))
}

fn day(holiday: Holiday) -> String {
    match holiday {
        Holiday::Fixed(month, day) => format!("{month}/{day}"),
        Holiday::Nth(month, -1, weekday) => format!("last {weekday:?} of {month}"),
        Holiday::Nth(month, nth, weekday) => format!("{weekday:?} {nth} of {month}"),
        Holiday::Easter(days) => format!("Easter {days:+}"),
        Holiday::Election => "Election Day".to_owned(),
        Holiday::GeneralElection => "Election Day of even years".to_owned(),
        Holiday::DayAfterThanksgiving => "day after Thanksgiving".to_owned(),
    }
}

fn holidays(rule: &Rule) -> String {
    match rule.holiday {
        None => "as any day".to_owned(),
        Some(open) if rule.holidays.is_empty() => format!("{}; federal", hours(open)),
        Some(open) => {
            format!(
                "{}; federal, {}",
                hours(open),
                rule.holidays.iter().copied().map(day).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

fn row(rule: &Rule) -> String {
    let attempts = rule.attempts.map_or(String::new(), |(attempts, hours)| format!("{attempts} in {hours} h"));
    let from = rule.from.map_or(String::new(), |from| from.to_string());
    let binds = match rule.binds {
        Binds::Calls => "all calls",
        Binds::Solicitations => "solicitations",
    };
    let evidence = match rule.evidence {
        Evidence::Statute => "statute",
        Evidence::Secondary => "secondary",
    };
    format!(
        "| {} | {} | {} | {} | {} | {attempts} | {binds} | {} | {from} | {evidence}: {} | {} |",
        rule.state,
        hours(rule.weekday),
        hours(rule.saturday),
        hours(rule.sunday),
        holidays(rule),
        rule.statute,
        rule.read_at,
        rule.read,
    )
}

#[test]
fn the_page_shows_every_row_as_it_is_and_no_other() {
    let rows: Vec<_> = std::iter::once(&FEDERAL).chain(STATES).map(row).collect();
    let shown: Vec<_> = PAGE.lines().filter(|line| line.split('|').count() == 13).skip(2).collect();
    assert_eq!(shown, rows, "docs/compliance.md should say:\n{}", rows.join("\n"));
}

#[test]
fn the_states_that_are_asked_for_each_have_a_row_with_a_source() {
    let wanted = "AL CT FL KY LA MA MD MI MN MS NM NV OK PA RI SD TX UT WA WY";
    for state in wanted.split(' ') {
        assert!(STATES.iter().any(|rule| rule.state == state), "{state}");
    }
    for rule in STATES {
        assert!(!rule.statute.is_empty() && !rule.read_at.is_empty(), "{rule:?}");
        for (from, to) in [rule.weekday, rule.saturday, rule.sunday].into_iter().flatten() {
            assert!(from < to && to <= 24, "{rule:?}");
        }
    }
}
