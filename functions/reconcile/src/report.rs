//! The settlement report of a day: what was placed, and what became of it. To S3 as JSON, and to the log.

use bytes::Bytes;
use elevenwire::retry::Failure;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::App;

/// Writes the report of `day` (UTC; yesterday when not given) and answers it. Written again, it says what is true then.
///
/// # Errors
/// When the database or the bucket does not answer.
pub async fn report(app: &App, day: Option<Date>, now: Timestamp) -> Result<Value, Failure> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = day.or_else(|| today.checked_sub(1.day()).ok()).unwrap_or(today);
    let start = |day: Date| day.to_zoned(TimeZone::UTC).map(|midnight| midnight.timestamp());
    let never = |error: jiff::Error| Failure::never(error.to_string());
    let (from, to) = (start(day).map_err(never)?, start(day.tomorrow().map_err(never)?).map_err(never)?);
    let mut report = app.store.settlement(from, to).await?;
    report["day"] = Value::from(day.to_string());
    report["written_at"] = Value::from(now.to_string());
    let body = Bytes::from(serde_json::to_vec_pretty(&report).unwrap_or_default());
    app.blobs.put(&format!("reports/settlement/{day}.json"), "application/json", body).await?;
    tracing::info!(report = %report, "settlement");
    Ok(report)
}
