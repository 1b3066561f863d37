-- Taking data out: exports to files, and views that a BI tool reads.

create table exports (
    id uuid primary key,
    what text not null check (what in ('calls', 'conversations', 'contacts', 'suppressions', 'deliveries')),
    format text not null check (format in ('csv', 'jsonl')),
    -- Whether a CSV begins with a byte order mark.
    bom boolean not null,
    -- By the names of the lists' parameters.
    filters jsonb not null,
    state text not null check (state in ('queued', 'running', 'done', 'failed')),
    requested_by text not null,
    idempotency_key text,
    rows bigint not null default 0,
    bytes bigint not null default 0,
    sha256 text,
    -- Why it failed, for its owner.
    error text,
    -- How often somebody began to work on it; whoever began before the last one may not write any more.
    runs integer not null default 0,
    -- Runs since the last one that came further.
    stalled integer not null default 0,
    -- Whoever works on it says so; a silent one is taken over.
    heartbeat_at timestamptz,
    -- Where the next run goes on: the upload and its parts, the last row that they hold, the digest so far.
    progress jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    finished_at timestamptz
);
create unique index exports_idempotency on exports (requested_by, idempotency_key) where idempotency_key is not null;
create index exports_created on exports (created_at desc, id desc);
create index exports_open on exports (requested_by) where state in ('queued', 'running');

-- One row a call, as a person counts them. docs/export.md says what each column means.
create view report_calls as
select c.id as call_id, c.created_at, c.to_number, c.from_number, c.agent, c.campaign_id, m.name as campaign_name,
    c.contact_id, c.requested_by, c.state, c.outcome, c.outcome_final, c.reason,
    case when c.asks > 0 then coalesce(c.claimed_at, c.created_at) end as asked_at,
    c.placed_at, c.ringing_at, c.answered_at, c.ended_at, c.settled_at, c.duration_secs,
    c.agent_connected, c.answered_by, c.sip_code, c.carrier_sid, c.double_dial,
    v.conversation_id, v.status as conversation_status, v.duration_seconds as talk_secs, v.successful,
    v.termination_reason, v.summary, v.cost, v.cost_fiat,
    r.storage_path as recording_path, r.bytes as recording_bytes, r.duration_seconds as recording_secs,
    r.sha256 as recording_sha256,
    -- With `limit 1` instead of `exists`: of that the planner may make a hash of the whole table for one page.
    coalesce((select true from suppression_events s where s.call_id = c.id and s.action = 'added' limit 1), false)
        as opted_out,
    c.variables, c.metadata
from calls c
left join conversations v on v.conversation_id = coalesce(c.conversation_id, c.id::text)
left join call_recordings r on r.conversation_id = coalesce(c.conversation_id, c.id::text)
left join contacts k on k.id = c.contact_id
left join campaigns m on m.id = k.campaign_id;

-- One row for each hour (UTC) in which the carrier was asked for calls of a campaign, or of a label of single calls.
create view report_campaign_hours as
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
    coalesce(sum(cost_fiat), 0) as cost_fiat
from report_calls
where campaign_id is not null and asked_at is not null
group by campaign_id, date_trunc('hour', asked_at at time zone 'UTC') at time zone 'UTC';

-- One row a campaign: its people, and all of its calls.
create view report_campaigns as
select m.id as campaign_id, m.name as campaign_name, m.agent, m.purpose, m.state, m.because, m.decided_by,
    m.created_at, m.started_at, m.ended_at,
    k.contacts, k.waiting, k.calling, k.done,
    c.calls, c.answered, c.abandoned, c.machines, c.not_reached, c.failed, c.opt_outs, c.call_secs, c.talk_secs,
    c.cost, c.cost_fiat
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
        coalesce(sum(cost_fiat), 0) as cost_fiat
    from report_calls r where r.campaign_id = m.id::text and r.asked_at is not null
) c;

-- One row for each day (UTC) on which an agent's calls were asked for.
create view report_agents_daily as
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
    coalesce(sum(cost_fiat), 0) as cost_fiat
from report_calls
where asked_at is not null
group by agent, (asked_at at time zone 'UTC')::date;
