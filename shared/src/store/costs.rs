//! Costs: what the carrier charged for a call, and what calls come to. What a vendor has not told is estimated, see
//! [`crate::cost`].

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::cost::{Cost, Tariff};

/// How long after its end a call is first looked up: the carrier rates it when it is over.
pub(super) const PRICED_AFTER_MINUTES: i32 = 5;
/// After so many looks, each twice as long after the last as that one was, nobody asks again: almost a day.
const MOST_LOOKS: i32 = 8;

/// A call whose price the carrier has not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpriced {
    /// Id of the attempt.
    pub call_id: Uuid,
    /// Every id of the carrier's that was heard of: two, when it was dialled twice.
    pub sids: Vec<String>,
    /// The carrier did not have it before.
    pub from: Timestamp,
    /// It was over by then.
    pub until: Timestamp,
    /// How often it was looked up in vain.
    pub looks: u32,
}

/// SQL of one call's cost, over `calls c` and its conversation `v`.
pub(super) struct Parts {
    carrier: String,
    agent: String,
    aws: String,
    estimated: String,
}

/// SQL of what is assumed of a call of `calls c`: the carrier's part, the agent's, and AWS'. `now` is SQL as well: with a time,
/// calls that are not over are counted as far as they are, with `null` not yet.
fn assumed(tariff: &Tariff, now: &str) -> [String; 3] {
    let Tariff { carrier_minute, agent_minute, aws_call } = tariff;
    let secs = format!("line_secs(c.state, c.answered_at, c.ended_at, c.duration_secs, {now})");
    let absent = "c.agent_connected is false or c.transcript = 'absent'";
    [
        format!("ceil({secs} / 60) * {carrier_minute:?}"),
        format!("case when {absent} then 0 else {secs} / 60 * {agent_minute:?} end"),
        format!("case when c.asks > 0 then {aws_call:?} else 0 end"),
    ]
}

/// `now` as in [`assumed`].
pub(super) fn parts(tariff: &Tariff, now: &str) -> Parts {
    let [carrier, agent, aws] = assumed(tariff, now);
    Parts {
        estimated: format!(
            "case when c.carrier_price is null then {carrier} else 0 end
                + case when v.cost_fiat is null then {agent} else 0 end"
        ),
        carrier: format!("coalesce(c.carrier_price, {carrier})"),
        agent: format!("coalesce(v.cost_fiat, {agent})"),
        aws,
    }
}

/// The conversation of `calls c`, as `v`.
pub(super) const CONVERSATION: &str =
    "left join conversations v on v.conversation_id = coalesce(c.conversation_id, c.id::text)";

impl Parts {
    /// The whole.
    pub fn usd(&self) -> String {
        format!("({} + {} + {})", self.carrier, self.agent, self.aws)
    }

    /// A [`Cost`] of one call as JSON.
    pub fn json(&self) -> String {
        format!(
            "jsonb_build_object('usd', {}, 'carrier_usd', {}, 'agent_usd', {}, 'aws_usd', {}, 'estimated_usd', {})",
            self.usd(),
            self.carrier,
            self.agent,
            self.aws,
            self.estimated
        )
    }
}

impl Store {
    /// Calls whose price is to be looked up, longest overdue first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unpriced(&self, now: Timestamp, most: i64) -> Result<Vec<Unpriced>, StoreError> {
        let sql =
            "select id, array(select distinct fact->>'sid' from call_events e where e.call_id = c.id and fact ? 'sid'),
                coalesce(claimed_at, created_at), coalesce(ended_at, $1), price_looks
            from calls c where price_at <= $1 order by price_at limit $2";
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&most, Type::INT8)]).await?;
        let unpriced = |row: &Row| Unpriced {
            call_id: row.get(0),
            sids: row.get(1),
            from: row.get(2),
            until: row.get(3),
            looks: u32::try_from(row.get::<_, i32>(4)).unwrap_or(0),
        };
        Ok(rows.iter().map(unpriced).collect())
    }

    /// Notes what the carrier charged for calls that were looked up, US dollars; `None` is looked up again later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn price(&self, found: &[(Uuid, Option<f64>)], now: Timestamp) -> Result<(), StoreError> {
        let sql = "update calls c set carrier_price = coalesce(p.price, carrier_price), price_looks = price_looks + 1,
                price_at = case when p.price is null and price_looks + 1 < $5
                    then $3::timestamptz + make_interval(mins => $4) * power(2, price_looks) end
            from unnest($1::uuid[], $2::float8[]) p (id, price) where c.id = p.id and c.price_at is not null";
        let (ids, prices): (Vec<Uuid>, Vec<Option<f64>>) = found.iter().copied().unzip();
        let typed = [
            (&ids as _, Type::UUID_ARRAY),
            (&prices as _, Type::FLOAT8_ARRAY),
            (&now as _, Type::TIMESTAMPTZ),
            (&PRICED_AFTER_MINUTES as _, Type::INT4),
            (&MOST_LOOKS as _, Type::INT4),
        ];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// What a campaign has cost so far, with calls that are on the line now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn campaign_cost(&self, campaign: Uuid, now: Timestamp) -> Result<Cost, StoreError> {
        let [carrier, agent, aws] = assumed(&self.tariff, "$2");
        let minute = self.tariff.agent_minute;
        // Calls and conversations each by the index of the campaign: joined, the planner would make a hash of a whole table.
        let sql = format!(
            "select c.carrier, c.carrier_assumed, c.aws, v.told, c.agent_assumed + v.assumed from (
                select coalesce(sum(coalesce(c.carrier_price, {carrier})), 0)::float8 as carrier,
                    coalesce(sum({carrier}) filter (where c.carrier_price is null), 0)::float8 as carrier_assumed,
                    coalesce(sum({agent}) filter (where c.transcript <> 'stored'), 0)::float8 as agent_assumed,
                    coalesce(sum({aws}), 0)::float8 as aws
                from calls c where c.campaign_id = $1
            ) c, (
                select coalesce(sum(cost_fiat), 0) as told,
                    (coalesce(sum(duration_seconds) filter (where cost_fiat is null), 0) / 60.0 * {minute:?})::float8 as assumed
                from conversations where campaign_id = $1
            ) v"
        );
        let typed = [(&campaign.to_string() as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
        let row = self.session().await?.client()?.query_typed_one(&sql, &typed).await?;
        let [carrier_usd, carrier_assumed, aws_usd, agent_told, agent_assumed]: [f64; 5] =
            [0, 1, 2, 3, 4].map(|at| row.get(at));
        let agent_usd = agent_told + agent_assumed;
        let usd = carrier_usd + agent_usd + aws_usd;
        Ok(Cost { usd, carrier_usd, agent_usd, aws_usd, estimated_usd: carrier_assumed + agent_assumed })
    }

    /// What one person costs whom the agent of a campaign calls, US dollars, by its last attempts; for a minute of talk while they
    /// are too few.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cost_of_a_person(&self, campaign: Uuid) -> Result<f64, StoreError> {
        let usd = parts(&self.tariff, "null").usd();
        // A person whose attempts are not all among them counts for less than one: with many it does not matter.
        let sql = format!(
            "select sum({usd})::float8 / count(distinct c.contact_id) from (
                select * from calls where agent = (select agent from campaigns where id = $1) order by created_at desc, id desc limit 1000
            ) c {CONVERSATION} where c.contact_id is not null and c.asks > 0 having count(distinct c.contact_id) >= $2"
        );
        let typed = [(&campaign as _, Type::UUID), (&crate::cost::ENOUGH_PEOPLE as _, Type::INT8)];
        let row = self.session().await?.client()?.query_typed_opt(&sql, &typed).await?;
        Ok(row.and_then(|row| row.get(0)).unwrap_or_else(|| self.tariff.person()))
    }
}
