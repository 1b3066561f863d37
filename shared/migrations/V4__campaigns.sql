-- Campaigns: who is called, when, how often, and what stops it.

create table campaigns (
    id uuid primary key,
    name text not null,
    agent text not null references agents (name),
    -- One of the agent's caller ids; null is the agent's first.
    from_number text,
    purpose text not null check (purpose in ('marketing', 'informational', 'emergency')),
    state text not null check (state in ('draft', 'running', 'paused', 'canceled', 'finished')),
    -- Why it stands still, and who decided so: `owner` or `breaker`.
    because text,
    decided_by text,
    -- What its owner asked for, in full: windows, excluded dates, retries, texts, budget.
    settings jsonb not null,
    -- Of these settings, what statements read.
    starts_at timestamptz,
    ends_at timestamptz,
    max_concurrent integer not null check (max_concurrent > 0),
    rate double precision not null check (rate > 0),
    max_attempts integer not null check (max_attempts > 0),
    -- Its own rate is used up until then.
    paced_until timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz
);
create index campaigns_running on campaigns (id) where state = 'running';
create index campaigns_created on campaigns (created_at desc, id);

-- One person of one campaign. Its attempts are rows of calls.
create table contacts (
    id bigint generated always as identity primary key,
    campaign_id uuid not null references campaigns (id),
    number text not null,
    timezone text,
    state text,
    postal_code text,
    consent_type text,
    consent_at timestamptz,
    consent_source text,
    variables jsonb not null default '{}',
    -- waiting (for due_at), calling (last_call is its attempt), done.
    status text not null default 'waiting' check (status in ('waiting', 'calling', 'done')),
    -- Once done: an outcome of a call, or blocked, exhausted, expired, canceled.
    outcome text,
    -- The word for why it waits or is done: a rule of the guard's, an outcome that is tried again.
    because text,
    due_at timestamptz,
    attempts integer not null default 0,
    last_call uuid,
    -- The outcome of last_call that the retry rests on; it may be refined later.
    last_outcome text,
    import_id uuid,
    line integer,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (campaign_id, number),
    check ((status = 'waiting') = (due_at is not null)),
    check (status <> 'calling' or last_call is not null)
);
-- The trigger's pick.
create index contacts_due on contacts (campaign_id, due_at, id) where status = 'waiting';
-- Attempts that ended, whose contact goes on.
create index contacts_calling on contacts (last_call) where status = 'calling';
create index contacts_number on contacts (number);

-- How many contacts of a campaign are where: rows that add up, so that a count reads few rows and writers never wait for
-- each other. The trigger of the campaigns sums them up now and then.
create table contact_tallies (
    campaign_id uuid not null,
    status text not null,
    outcome text,
    n bigint not null
);
create index contact_tallies_campaign on contact_tallies (campaign_id);

create function contacts_tally() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into contact_tallies select campaign_id, status, outcome, count(*) from new_rows group by 1, 2, 3;
    elsif tg_op = 'DELETE' then
        insert into contact_tallies select campaign_id, status, outcome, -count(*) from old_rows group by 1, 2, 3;
    else
        insert into contact_tallies
        select campaign_id, status, outcome, sum(n) from (
            select campaign_id, status, outcome, 1 as n from new_rows
            union all
            select campaign_id, status, outcome, -1 from old_rows
        ) moved group by 1, 2, 3 having sum(n) <> 0;
    end if;
    return null;
end
$$;
create trigger contacts_tally_insert after insert on contacts
    referencing new table as new_rows for each statement execute function contacts_tally();
create trigger contacts_tally_delete after delete on contacts
    referencing old table as old_rows for each statement execute function contacts_tally();
create trigger contacts_tally_update after update on contacts
    referencing old table as old_rows new table as new_rows for each statement execute function contacts_tally();

create table imports (
    id uuid primary key,
    campaign_id uuid not null references campaigns (id),
    -- awaiting_upload, queued, running, done, failed, canceled.
    state text not null check (state in ('awaiting_upload', 'queued', 'running', 'done', 'failed', 'canceled')),
    dry_run boolean not null,
    source_key text not null,
    filename text,
    bytes bigint,
    bytes_read bigint not null default 0,
    rows_read bigint not null default 0,
    taken bigint not null default 0,
    bad bigint not null default 0,
    duplicates_in_file bigint not null default 0,
    duplicates_in_campaign bigint not null default 0,
    -- `US`: numbers without a country code are of the United States. Null: they are bad.
    default_country text check (default_country = 'US'),
    -- How the header was understood: each column with the field or the variable that it is taken for.
    columns jsonb,
    -- How often somebody began to work on it; whoever began before the last one may not write any more.
    runs integer not null default 0,
    -- What the guard would say of the good rows; forecast of a dry run.
    forecast jsonb,
    -- CSV of the bad rows: line, column, reason.
    report_key text,
    -- Why it failed, for its owner.
    error text,
    -- Whoever works on it says so; a silent one is taken over.
    heartbeat_at timestamptz,
    requested_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    finished_at timestamptz
);
create index imports_campaign on imports (campaign_id, created_at desc);
create index imports_open on imports (campaign_id) where state in ('queued', 'running');

-- Rows of imports that are being read. Not logged: a crash of the server starts the import again.
create unlogged table import_rows (
    import_id uuid not null,
    line integer not null,
    number text not null,
    timezone text,
    state text,
    postal_code text,
    consent_type text,
    consent_at timestamptz,
    consent_source text,
    variables jsonb not null,
    due_at timestamptz,
    -- When the window closes that begins then; for the forecast.
    until timestamptz,
    -- Set when the guard would never let it be called.
    because text
);
create index import_rows_import on import_rows (import_id, number, line);

-- Do-not-call: the row of numbers says whether, this says the history.
alter table numbers
    -- owner, import, agent_tool, transcript.
    add column suppressed_by text,
    add column suppressed_call uuid;
create index numbers_suppressed on numbers (suppressed_at desc, number) where suppressed_at is not null;
create table suppression_events (
    id bigint generated always as identity primary key,
    number text not null references numbers (number),
    action text not null check (action in ('added', 'removed')),
    -- As suppressed_by; review where a person lifted what was doubtful.
    source text not null,
    because text not null,
    by_whom text,
    call_id uuid,
    at timestamptz not null
);
create index suppression_events_number on suppression_events (number, at desc);
-- An opt-out heard in a call is one fact, however often its transcript comes.
create unique index suppression_events_call on suppression_events (call_id, source) where call_id is not null;

-- Doubtful opt-outs: suppressed already, for a person to look at.
create table opt_out_reviews (
    call_id uuid primary key references calls (id),
    number text not null references numbers (number),
    conversation_id text,
    -- Which rule doubted, and the words it rests on.
    rule text not null,
    words text,
    created_at timestamptz not null,
    resolved_at timestamptz,
    resolution text check (resolution in ('keep', 'remove')),
    resolved_by text,
    resolved_because text
);
create index opt_out_reviews_open on opt_out_reviews (created_at, call_id) where resolved_at is null;
create index opt_out_reviews_number on opt_out_reviews (number) where resolved_at is null;

alter table agents
    -- Conversations that it holds at once; null is the workspace's limit.
    add column max_concurrent integer check (max_concurrent > 0);

alter table calls
    add column contact_id bigint references contacts (id),
    -- When it may be dialled: its place in the carrier's timetable. Null: none was reserved yet.
    add column slot_at timestamptz,
    -- What the guard is told of the callee besides the number: timezone, state, postal_code, consent, purpose.
    add column callee jsonb not null default '{}',
    -- The end of the lawful window that it was dialled in: one that still waits at the carrier then is taken back.
    add column lawful_until timestamptz,
    -- Its owner takes it back, unless somebody has answered.
    add column cancel_at timestamptz;
create index calls_contact on calls (contact_id) where contact_id is not null;
create index calls_token_day on calls (requested_by, created_at);
-- Live calls: the limits of both vendors are counted over them.
create index calls_live on calls (agent) where state in ('placing', 'unknown', 'queued', 'ringing', 'in_progress');
-- Answered calls of a caller id and of all, for the breakers.
create index calls_from_ended on calls (from_number, ended_at desc) where ended_at is not null;
-- People who picked up, and whether an agent came.
create index calls_people on calls (campaign_id, ended_at desc) include (outcome)
    where campaign_id is not null and outcome in ('answered', 'abandoned');
create index calls_campaign_ended on calls (campaign_id, ended_at desc) where campaign_id is not null and ended_at is not null;

-- Evidence also for contacts that were never attempted.
alter table guard_decisions drop constraint guard_decisions_pkey;
alter table guard_decisions
    alter column call_id drop not null,
    add column contact_id bigint references contacts (id),
    add column id bigint generated always as identity primary key,
    add check (call_id is not null or contact_id is not null);
create unique index guard_decisions_call on guard_decisions (call_id, decided_at) where call_id is not null;
create index guard_decisions_contact on guard_decisions (contact_id, decided_at desc) where contact_id is not null;

-- One timetable for the whole space at the carrier. Slots are counted from the epoch, `rate` a second; every `share`-th
-- one is kept for single calls. See shared/src/store/pace.rs.
create table pace (
    one boolean primary key default true check (one),
    -- Highest slot of each kind that was given away.
    single_slot bigint not null default 0,
    campaign_slot bigint not null default 0
);
insert into pace default values;

-- What its owner stopped. Read in every claim.
create table stops (
    id uuid primary key,
    scope text not null check (scope in ('all', 'campaign', 'agent', 'from')),
    -- The campaign's id, the agent's name or the caller id; null for all.
    value text,
    reason text not null,
    hang_up boolean not null,
    by_whom text not null,
    at timestamptz not null,
    lifted_at timestamptz,
    lifted_by text,
    check ((scope = 'all') = (value is null))
);
create index stops_active on stops (scope, value) where lifted_at is null;

-- A caller id that the networks refuse rests until then.
create table caller_ids (
    number text primary key,
    rests_until timestamptz,
    because text,
    updated_at timestamptz not null
);
