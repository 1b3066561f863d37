-- What a call costs: the carrier's price, looked up when the call is over, and the agent's (conversations.cost_fiat).

alter table calls
    -- US dollars, over all of its legs, as the carrier charged them. Null: not known, or not yet.
    add column carrier_price double precision,
    -- When to look for it; null when there is nothing to look for (any more).
    add column price_at timestamptz,
    add column price_looks integer not null default 0;
create index calls_price_at on calls (price_at) where price_at is not null;
-- What a day's calls came to and cost, read from the index alone.
drop index calls_hours;
create index calls_hours on calls (created_at) include (outcome, carrier_price);

-- For how long a call has held the line, seconds: what is not known of its price is estimated by that. At a time `now`, a call
-- that may still be placed, ring or talk counts as a minute at least, so that a budget is not used up twice; without one it
-- does not count yet.
create function line_secs(
    state text, answered_at timestamptz, ended_at timestamptz, duration_secs integer, now timestamptz
) returns double precision language sql immutable as $$
    select case
        when state = 'ended' then coalesce(duration_secs, greatest(0, extract(epoch from ended_at - answered_at)))
        when now is null then 0
        else greatest(60, extract(epoch from now - answered_at))
    end::double precision
$$;

-- The views of V8 with what the carrier charged, as their last column.
create or replace view report_calls as
select c.id as call_id, c.created_at, c.to_number, c.from_number, c.agent, c.campaign_id, m.name as campaign_name,
    c.contact_id, c.requested_by, c.state, c.outcome, c.outcome_final, c.reason,
    case when c.asks > 0 then coalesce(c.claimed_at, c.created_at) end as asked_at,
    c.placed_at, c.ringing_at, c.answered_at, c.ended_at, c.settled_at, c.duration_secs,
    c.agent_connected, c.answered_by, c.sip_code, c.carrier_sid, c.double_dial,
    v.conversation_id, v.status as conversation_status, v.duration_seconds as talk_secs, v.successful,
    v.termination_reason, v.summary, v.cost, v.cost_fiat,
    r.storage_path as recording_path, r.bytes as recording_bytes, r.duration_seconds as recording_secs,
    r.sha256 as recording_sha256,
    coalesce((select true from suppression_events s where s.call_id = c.id and s.action = 'added' limit 1), false)
        as opted_out,
    c.variables, c.metadata, c.carrier_price
from calls c
left join conversations v on v.conversation_id = coalesce(c.conversation_id, c.id::text)
left join call_recordings r on r.conversation_id = coalesce(c.conversation_id, c.id::text)
left join contacts k on k.id = c.contact_id
left join campaigns m on m.id = k.campaign_id;

create or replace view report_campaign_hours as
select campaign_id, max(campaign_name) as campaign_name,
    date_trunc('hour', asked_at at time zone 'UTC') at time zone 'UTC' as hour,
    count(*) as calls,
    count(*) filter (where outcome = 'answered') as answered,
    count(*) filter (where outcome = 'abandoned') as abandoned,
    count(*) filter (where outcome in ('voicemail', 'screened')) as machines,
    count(*) filter (where outcome in ('busy', 'no_answer', 'declined')) as not_reached,
    count(*) filter (where outcome in ('network_blocked', 'unreachable', 'failed')) as failed,
    count(*) filter (where opted_out) as opt_outs,
    coalesce(sum(duration_secs), 0)::bigint as call_secs,
    coalesce(sum(talk_secs), 0)::bigint as talk_secs,
    coalesce(sum(cost), 0)::bigint as cost,
    coalesce(sum(cost_fiat), 0) as cost_fiat,
    coalesce(sum(carrier_price), 0) as carrier_price
from report_calls
where campaign_id is not null and asked_at is not null
group by campaign_id, date_trunc('hour', asked_at at time zone 'UTC') at time zone 'UTC';

create or replace view report_campaigns as
select m.id as campaign_id, m.name as campaign_name, m.agent, m.purpose, m.state, m.because, m.decided_by,
    m.created_at, m.started_at, m.ended_at,
    k.contacts, k.waiting, k.calling, k.done,
    c.calls, c.answered, c.abandoned, c.machines, c.not_reached, c.failed, c.opt_outs, c.call_secs, c.talk_secs,
    c.cost, c.cost_fiat, c.carrier_price
from campaigns m
cross join lateral (
    select coalesce(sum(n), 0)::bigint as contacts,
        coalesce(sum(n) filter (where status = 'waiting'), 0)::bigint as waiting,
        coalesce(sum(n) filter (where status = 'calling'), 0)::bigint as calling,
        coalesce(sum(n) filter (where status = 'done'), 0)::bigint as done
    from contact_tallies t where t.campaign_id = m.id
) k
cross join lateral (
    select count(*) as calls,
        count(*) filter (where outcome = 'answered') as answered,
        count(*) filter (where outcome = 'abandoned') as abandoned,
        count(*) filter (where outcome in ('voicemail', 'screened')) as machines,
        count(*) filter (where outcome in ('busy', 'no_answer', 'declined')) as not_reached,
        count(*) filter (where outcome in ('network_blocked', 'unreachable', 'failed')) as failed,
        count(*) filter (where opted_out) as opt_outs,
        coalesce(sum(duration_secs), 0)::bigint as call_secs,
        coalesce(sum(talk_secs), 0)::bigint as talk_secs,
        coalesce(sum(cost), 0)::bigint as cost,
        coalesce(sum(cost_fiat), 0) as cost_fiat,
        coalesce(sum(carrier_price), 0) as carrier_price
    from report_calls r where r.campaign_id = m.id::text and r.asked_at is not null
) c;

create or replace view report_agents_daily as
select agent, (asked_at at time zone 'UTC')::date as day,
    count(*) as calls,
    count(*) filter (where outcome = 'answered') as answered,
    count(*) filter (where outcome = 'abandoned') as abandoned,
    count(*) filter (where outcome in ('voicemail', 'screened')) as machines,
    count(*) filter (where outcome in ('busy', 'no_answer', 'declined')) as not_reached,
    count(*) filter (where outcome in ('network_blocked', 'unreachable', 'failed')) as failed,
    count(*) filter (where opted_out) as opt_outs,
    coalesce(sum(duration_secs), 0)::bigint as call_secs,
    coalesce(sum(talk_secs), 0)::bigint as talk_secs,
    coalesce(sum(cost), 0)::bigint as cost,
    coalesce(sum(cost_fiat), 0) as cost_fiat,
    coalesce(sum(carrier_price), 0) as carrier_price
from report_calls
where asked_at is not null
group by agent, (asked_at at time zone 'UTC')::date;
