//! Charts as SVG, each with a table of its figures behind it. Colours are classes of the style sheet, so that they follow
//! light and dark.

use maud::{Markup, html};

use super::text;

/// A column of stacked bars.
pub(super) struct Column {
    /// What it stands for, in the table.
    pub(super) name: Markup,
    /// Below the chart; empty for none.
    pub(super) label: String,
    /// A figure for each of the series.
    pub(super) values: Vec<i64>,
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 150.0;
const FLOOR: f64 = 130.0;
const LEFT: f64 = 34.0;

/// A figure as a place on the paper; no count is so large that this would be wrong by a pixel.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn paper(n: i64) -> f64 {
    n as f64
}

/// A top of the scale that people can halve.
fn scale(most: i64) -> i64 {
    let steps = [2, 4, 10, 20, 40, 60, 100, 200, 400, 600];
    let round = |most: i64| {
        let unit = 10_i64.pow(most.ilog10().saturating_sub(1));
        (most + 2 * unit - 1) / (2 * unit) * 2 * unit
    };
    steps.into_iter().find(|step| *step >= most).unwrap_or_else(|| round(most))
}

/// Stacked bars over time. `series`: the class and the name of each.
pub(super) fn bars(title: &str, series: &[(&str, &str)], columns: &[Column]) -> Markup {
    let most = columns.iter().map(|column| column.values.iter().sum()).max().unwrap_or(0);
    let top = scale(most);
    let step = (WIDTH - LEFT) / paper(i64::try_from(columns.len().max(12)).unwrap_or(12));
    let high = |n: i64| paper(n) / paper(top) * (FLOOR - 12.0);
    html! {
        figure class="chart" {
            figcaption { (title) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (title) ": the figures are in the table below" } {
                @for (n, y) in [(top, 12.0), (top / 2, f64::midpoint(FLOOR, 12.0)), (0, FLOOR)] {
                    line class="rule" x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) {}
                    text class="axis" x=(LEFT - 6.0) y=(y + 4.0) text-anchor="end" { (text::count(n)) }
                }
                @for (at, column) in (0_i64..).zip(columns) {
                    @let x = LEFT + step * paper(at);
                    @for (rank, ((class, _), value)) in series.iter().zip(&column.values).enumerate() {
                        @let below: i64 = column.values[..rank].iter().sum();
                        @if *value > 0 {
                            rect class=(class) x={ (format!("{:.1}", x + step * 0.12)) } width={ (format!("{:.1}", step * 0.76)) }
                                y={ (format!("{:.1}", FLOOR - high(below + value))) } height={ (format!("{:.1}", high(*value))) } {}
                        }
                    }
                    @if !column.label.is_empty() {
                        text class="axis" x={ (format!("{:.1}", x + step / 2.0)) } y=(HEIGHT - 5.0) text-anchor="middle" { (column.label) }
                    }
                }
            }
            p class="legend" { @for (class, name) in series { span { span class={ "key " (class) } {} (name) } } }
            (behind(series, columns))
        }
    }
}

fn behind(series: &[(&str, &str)], columns: &[Column]) -> Markup {
    let counted = columns.iter().filter(|column| column.values.iter().any(|value| *value > 0));
    html! {
        details {
            summary { "The figures as a table" }
            table class="tight" {
                thead { tr { th scope="col" { "Hour" } @for (_, name) in series { th scope="col" { (name) } } } }
                tbody { @for column in counted {
                    tr { th scope="row" { (column.name) } @for value in &column.values { td { (text::count(*value)) } } }
                } }
            }
        }
    }
}

/// Calls of an hour of the week, and how many of them were answered.
pub(super) type Week = [[(i64, i64); 24]; 7];

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The answer rate by weekday and hour.
pub(super) fn heat(title: &str, week: &Week) -> Markup {
    let cells = || {
        week.iter().zip(DAYS).flat_map(|(hours, day)| hours.iter().enumerate().map(move |(hour, n)| (day, hour, *n)))
    };
    html! {
        figure class="chart" {
            figcaption { (title) }
            svg viewBox="0 0 480 150" role="img" aria-label={ (title) ": the figures are in the table below" } {
                @for (row, day) in (0_i64..).zip(DAYS) {
                    text class="axis" x="0" y=(16 + row * 18) { (day) }
                    @for (column, (calls, answered)) in (0_i64..).zip(week[usize::try_from(row).unwrap_or(0)]) {
                        rect class={ "heat h" (shade(calls, answered)) } x=(34 + column * 18 + column / 2) y=(3 + row * 18)
                            width="17" height="16" rx="2" {}
                    }
                }
                @for hour in [0_i64, 6, 12, 18, 23] {
                    text class="axis" x=(34 + hour * 18 + hour / 2 + 8) y="146" text-anchor="middle" { (hour) }
                }
            }
            p class="legend" { "fewer answered "
                @for level in 1..=5 { span class={ "key heat h" (level) } {} } " more; empty: no calls" }
            details {
                summary { "The figures as a table" }
                table class="tight" {
                    thead { tr { th scope="col" { "Hour" } th scope="col" { "Calls" } th scope="col" { "Answered" } th scope="col" { "Rate" } } }
                    tbody { @for (day, hour, (calls, answered)) in cells().filter(|(_, _, (calls, _))| *calls > 0) {
                        tr { th scope="row" { (day) " " (hour) ":00" } td { (text::count(calls)) } td { (text::count(answered)) } td { (text::percent(answered, calls)) } }
                    } }
                }
            }
        }
    }
}

/// 0: no calls; 1 to 5: none answered to four fifths and more.
fn shade(calls: i64, answered: i64) -> i64 {
    if calls == 0 { 0 } else { (1 + answered * 5 / calls).min(5) }
}

/// How many are left at each step.
pub(super) fn funnel(title: &str, steps: &[(&str, i64)]) -> Markup {
    let most = steps.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    html! {
        figure class="chart" {
            figcaption { (title) }
            table class="tight full" {
                thead { tr { th scope="col" { "Step" } th scope="col" { "People" } th scope="col" { "Of all" } td {} } }
                tbody { @for (name, n) in steps {
                    tr {
                        th scope="row" { (name) }
                        td { (text::count(*n)) }
                        td { (text::percent(*n, most)) }
                        td class="bar" { svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true" {
                            rect class="track" width="100" height="12" {}
                            rect class="accent" height="12" width={ (format!("{:.1}", paper(*n) / paper(most) * 100.0)) } {}
                        } }
                    }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_figure_that_people_can_halve() {
        assert_eq!([0, 1, 3, 7, 55, 601, 1234].map(scale), [2, 2, 4, 10, 60, 620, 1400]);
        assert_eq!([(0, 0), (9, 0), (10, 5), (10, 10)].map(|(calls, answered)| shade(calls, answered)), [0, 1, 3, 5]);
    }

    #[test]
    fn a_chart_has_its_figures_behind_it() {
        let column = Column { name: html! { "10:00" }, label: "10".to_owned(), values: vec![3, 1234] };
        let chart = bars("Calls", &[("s-good", "Answered"), ("s-calm", "Others")], &[column]).into_string();
        assert!(chart.contains("<td>1,234</td>") && chart.contains("class=\"s-good\""), "{chart}");
        assert!(!chart.contains("style="), "{chart}");
    }
}
