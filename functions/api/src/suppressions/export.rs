//! Suppressions as CSV. A page is as large as the gateway lets an answer be; its `Link` header names the next one.

use elevenwire::export::cell;
use elevenwire::http::Reply;
use elevenwire::store::suppressions::Suppressed;

/// Rows that are read for a page.
pub(super) const MOST_ROWS: i64 = 20_000;
/// Bytes of a page. Lambda refuses answers above 6 MB, and escapes this one once more.
const LARGEST_PAGE: usize = 3 * 1024 * 1024;

/// The page, which ends before it grows too large.
pub(super) fn csv(rows: &[Suppressed]) -> Reply {
    let mut body = "number,suppressed_at,source,reason,call_id\r\n".to_owned();
    let mut last = None;
    for row in rows {
        if body.len() > LARGEST_PAGE {
            break;
        }
        let call_id = row.call_id.map(|id| id.to_string()).unwrap_or_default();
        let source = row.source.as_deref().unwrap_or_default();
        let reason = cell(row.reason.as_deref().unwrap_or_default());
        let cells = [&row.number, &row.suppressed_at.to_string(), source, &reason, &call_id];
        body.push_str(&cells.join(","));
        body.push_str("\r\n");
        last = Some(row);
    }
    let mut reply = Reply { content_type: "text/csv; charset=utf-8", body, ..Reply::empty(200) };
    reply = reply.with("Content-Disposition", "attachment; filename=\"suppressions.csv\"");
    let complete = last == rows.last() && i64::try_from(rows.len()).unwrap_or(0) < MOST_ROWS;
    if let Some(last) = last.filter(|_| !complete) {
        let cursor = super::cursor(last).replace('+', "%2B");
        reply = reply.with("Link", format!("</api/suppressions/export?cursor={cursor}>; rel=\"next\""));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: i64, reason: &str) -> Suppressed {
        Suppressed {
            number: format!("+1415555{at:04}"),
            suppressed_at: jiff::Timestamp::from_second(1_800_000_000 - at).unwrap(),
            source: Some("owner".into()),
            reason: Some(reason.into()),
            call_id: None,
        }
    }

    #[test]
    fn a_page_ends_before_it_grows_too_large_and_names_the_next_one() {
        let long = "\u{20ac}".repeat(200);
        let rows: Vec<_> = (0..9000).map(|at| row(at, &long)).collect();
        let reply = csv(&rows);
        assert!(reply.body.len() < LARGEST_PAGE + 2000, "{}", reply.body.len());
        assert!(reply.headers.iter().any(|(name, value)| *name == "Link" && value.contains("rel=\"next\"")));
        let small = csv(&rows[..10]);
        assert!(small.headers.iter().all(|(name, _)| *name != "Link"));
        assert_eq!(small.body.lines().count(), 11);
        assert_eq!(csv(&[]).body.lines().count(), 1);
    }
}
