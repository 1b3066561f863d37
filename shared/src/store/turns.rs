//! Which campaigns run, how much room each has, and what pauses or ends them.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::campaigns::{COLUMNS, Campaign, campaign};
use super::fence::takes_a_line;
use super::{Store, StoreError, commit};
use crate::campaign::breaker::{LAST_ATTEMPTS, REST_HOURS};

/// A campaign that runs now.
#[derive(Debug, Clone)]
pub struct Running {
    /// The campaign.
    pub campaign: Campaign,
    /// Its attempts that are live, or wait for their slot.
    pub under_way: i64,
    /// The same of its agent, over all campaigns and single calls.
    pub agent_under_way: i64,
    /// Its own rate is used up until then.
    pub paced_until: Option<Timestamp>,
    /// Somebody is due.
    pub due: bool,
}

/// What is under way over all campaigns and single calls, and how far slots are given to campaigns.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Attempts that are live, or wait for their slot.
    pub under_way: i64,
    /// The last slot that a campaign has.
    pub campaign_slot: i64,
}

/// Live, or about to be, at the time of parameter 1: an attempt that waits for a later window, or for its campaign to go on,
/// takes no room.
fn under_way() -> String {
    let live = takes_a_line("$1");
    format!("({live} or (state = 'intent' and due_at <= $1::timestamptz + interval '12 seconds'))")
}

impl Store {
    /// After a pause: attempts of a campaign that found it paused are due now, and not when they would have looked again.
    /// Answers those that the carrier dials.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_after_pause(&self, campaign: Uuid, most: i64, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
        let sql = "update calls set due_at = $2, updated_at = $2 where id in (
                select id from calls where campaign_id = $1 and state = 'intent' and due_at > $2
                    and due_at <= $2::timestamptz + make_interval(secs => $3) order by due_at limit $4
            ) and state = 'intent' returning id, connect";
        let looks_again = i32::try_from(super::fence::STOPPED_SECS).unwrap_or(60);
        let campaign = campaign.to_string();
        let typed = [
            (&campaign as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&looks_again as _, Type::INT4),
            (&most as _, Type::INT8),
        ];
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let rows = tx.query_typed(sql, &typed).await?;
        commit(tx).await?;
        Ok(rows.iter().filter(|row| row.get::<_, &str>(1) == "sip").map(|row| row.get(0)).collect())
    }

    /// The campaigns that run, and have begun.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn running(&self, now: Timestamp) -> Result<Vec<Running>, StoreError> {
        let under_way = under_way();
        let sql = format!(
            "select {COLUMNS}, paced_until,
                 (select count(*) from calls c where c.campaign_id = campaigns.id::text and {under_way}) as under_way,
                 (select count(*) from calls c where c.agent = campaigns.agent and {under_way}) as agent_under_way,
                 exists (select 1 from contacts k where k.campaign_id = campaigns.id and k.status = 'waiting'
                     and k.due_at <= $1) as due
             from campaigns where state = 'running' and coalesce(starts_at, $1) <= $1
                 and not exists (select 1 from stops s where s.lifted_at is null and (s.scope = 'all'
                     or (s.scope = 'campaign' and s.value = campaigns.id::text)
                     or (s.scope = 'agent' and s.value = campaigns.agent)))
             order by paced_until nulls first, id"
        );
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &[(&now, Type::TIMESTAMPTZ)]).await?;
        let running = rows.iter().map(|row| Running {
            campaign: campaign(row),
            under_way: row.get("under_way"),
            agent_under_way: row.get("agent_under_way"),
            paced_until: row.get("paced_until"),
            due: row.get("due"),
        });
        Ok(running.collect())
    }

    /// What is under way in all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn space(&self, now: Timestamp) -> Result<Space, StoreError> {
        let sql = format!("select (select count(*) from calls where {}), campaign_slot from pace", under_way());
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_one(&sql, &[(&now, Type::TIMESTAMPTZ)]).await?;
        Ok(Space { under_way: row.get(0), campaign_slot: row.get(1) })
    }

    /// Ends the campaigns whose end has come, or that have nobody left. Answers which.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish_campaigns(&self, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let sql = "update campaigns m set state = 'finished', ended_at = $1, updated_at = $1, decided_by = null,
                because = case when m.ends_at <= $1 then 'its end has come' else 'every contact is done' end
            where state in ('running', 'paused') and (ends_at <= $1 or (state = 'running'
                and not exists (select 1 from contacts k where k.campaign_id = m.id and k.status = 'waiting')
                and not exists (select 1 from contacts k where k.campaign_id = m.id and k.status = 'calling')
                and not exists (select 1 from imports i where i.campaign_id = m.id and i.state in ('queued', 'running'))
                and exists (select 1 from contacts k where k.campaign_id = m.id)))
            returning id";
        let rows = tx.query_typed(sql, &[(&now, Type::TIMESTAMPTZ)]).await?;
        let ended: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if ended.is_empty() {
            return Ok(ended);
        }
        let sql = "update contacts set status = 'done', outcome = 'expired', because = 'campaign_ended', due_at = null,
                   updated_at = $2 where campaign_id = any ($1) and status = 'waiting'";
        tx.execute_typed(sql, &[(&ended, Type::UUID_ARRAY), (&now, Type::TIMESTAMPTZ)]).await?;
        commit(tx).await?;
        Ok(ended)
    }

    /// Sums up the tallies of campaigns that have many rows of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sum_up_tallies(&self) -> Result<(), StoreError> {
        // Rows that come in meanwhile are not seen by the delete, and stay.
        let sql = "with many as (
                select campaign_id from contact_tallies group by campaign_id having count(*) > 200
            ), gone as (
                delete from contact_tallies t using many where t.campaign_id = many.campaign_id
                returning t.campaign_id, t.status, t.outcome, t.n
            )
            insert into contact_tallies
            select campaign_id, status, outcome, sum(n) from gone group by 1, 2, 3 having sum(n) <> 0";
        self.session().await?.write(sql, &[]).await?;
        Ok(())
    }

    /// Of a caller id's last attempts: how many there were, and how many a network refused.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refused_of(&self, caller_id: &str) -> Result<(u32, u32), StoreError> {
        // What it did before its last rest is forgiven.
        let sql = "select count(*), count(*) filter (where outcome = 'network_blocked') from (
                select outcome from calls where from_number = $1 and asks > 0 and ended_at is not null
                    and ended_at > coalesce((select rests_until from caller_ids where number = $1), '-infinity')
                order by ended_at desc limit $2) last";
        let mut session = self.session().await?;
        let typed = [(&caller_id as _, Type::TEXT), (&LAST_ATTEMPTS as _, Type::INT8)];
        let row = session.client()?.query_typed_one(sql, &typed).await?;
        let count = |at: usize| u32::try_from(row.get::<_, i64>(at)).unwrap_or(u32::MAX);
        Ok((count(0), count(1)))
    }

    /// Lets a caller id rest; says whether it did not rest already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rest(&self, caller_id: &str, because: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "insert into caller_ids values ($1, $2, $3, $4) on conflict (number) do update
                   set rests_until = excluded.rests_until, because = excluded.because, updated_at = excluded.updated_at
                   where caller_ids.rests_until is null or caller_ids.rests_until <= $4";
        let until = super::claims::later(now, REST_HOURS * 3600);
        let typed = [
            (&caller_id as _, Type::TEXT),
            (&until as _, Type::TIMESTAMPTZ),
            (&because as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        Ok(self.session().await?.write(sql, &typed).await? > 0)
    }

    /// The caller ids that rest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resting(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let sql = "select number from caller_ids where rests_until > $1";
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&now, Type::TIMESTAMPTZ)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Calls that still wait at the carrier, or ring, and shall not: their owner took them back and the command was lost,
    /// or their lawful window closes before they would have rung.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn to_take_back(&self, now: Timestamp, grace_secs: i32) -> Result<Vec<Uuid>, StoreError> {
        let sql = "select id from calls where state in ('queued', 'ringing') and connect = 'sip' and (
                cancel_at <= $1::timestamptz - make_interval(secs => $2)
                or (state = 'queued' and lawful_until <= $1::timestamptz + make_interval(secs => ring_timeout_secs)))";
        let grace = f64::from(grace_secs);
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&grace, Type::FLOAT8)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
