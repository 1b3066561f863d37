-- One call, all the way. Times are `timestamptz` and always come from the program (`now` is an argument), so that tests
-- can set the clock; nothing here reads the server's clock.

create table agents (
    name text primary key,
    elevenlabs_agent_id text not null,
    -- The number imported at ElevenLabs: it stands for exactly one agent there, so also here.
    number text not null unique,
    caller_ids text[] not null check (cardinality(caller_ids) > 0),
    connect text not null check (connect in ('sip', 'trunk')),
    amd text not null check (amd in ('off', 'hang_up')),
    ring_timeout_secs integer,
    max_duration_secs integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- The lock of a number: guard and claim, and every opt-out, lock this row first.
create table numbers (
    number text primary key,
    suppressed_at timestamptz,
    suppressed_because text,
    hold_until timestamptz,
    hold_because text
);

-- One row is one attempt. What is known of it is in call_events; state, outcome and times are folded from them.
create table calls (
    id uuid primary key,
    to_number text not null references numbers (number),
    from_number text not null,
    agent text not null references agents (name),
    -- As it was when the attempt was written down: a conversation binds only to the agent that was meant.
    elevenlabs_agent_id text not null,
    campaign_id text,
    variables jsonb not null,
    metadata jsonb not null,
    requested_by text not null,
    ring_timeout_secs integer not null,
    max_duration_secs integer not null,

    state text not null check (state in ('intent', 'placing', 'unknown', 'queued', 'ringing', 'in_progress', 'ended')),
    outcome text check (outcome in ('answered', 'abandoned', 'voicemail', 'screened', 'busy', 'no_answer', 'declined',
        'network_blocked', 'unreachable', 'failed', 'canceled', 'expired', 'blocked', 'unknown')),
    outcome_final boolean not null,
    reason text,
    due_at timestamptz not null,
    expires_at timestamptz not null,
    asks integer not null,
    claimed_at timestamptz,
    carrier_sid text,
    double_dial boolean not null,
    agent_connected boolean,
    placed_at timestamptz,
    ringing_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    duration_secs integer,
    sip_code integer,
    answered_by text,
    hang_up_at timestamptz,

    conversation_id text unique,
    -- The pieces that complete a call: expected, here, or known not to exist (with a reason).
    transcript text not null default 'expected' check (transcript in ('expected', 'stored', 'absent')),
    recording text not null default 'expected' check (recording in ('expected', 'stored', 'absent')),
    absent_because text,
    -- Worked out by calls_settle in the same UPDATE that sets the last piece, so that two writers at once cannot miss
    -- each other.
    settled_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- One live attempt a number: a second one is an answer ("busy"), not an error.
create unique index calls_one_live_per_number on calls (to_number)
    where state in ('placing', 'unknown', 'queued', 'ringing', 'in_progress');
-- The sweep for attempts whose wake-up was lost.
create index calls_due on calls (due_at) where state in ('intent', 'placing');
-- What is not settled yet.
create index calls_unsettled on calls (created_at) where settled_at is null;
create index calls_carrier_sid on calls (carrier_sid) where carrier_sid is not null;
create index calls_to_number on calls (to_number, created_at desc);
create index calls_campaign on calls (campaign_id, created_at desc) where campaign_id is not null;

create function calls_settle() returns trigger language plpgsql as $$
begin
    if new.state = 'ended' and new.outcome_final and (
        -- Nobody talked with the agent: there is nothing to bring home.
        new.agent_connected is not true
        or (new.transcript <> 'expected' and new.recording <> 'expected')
    ) then
        new.settled_at := coalesce(new.settled_at, new.updated_at);
    else
        -- A fuller fact may show that something is still missing after all.
        new.settled_at := null;
    end if;
    return new;
end
$$;
create trigger calls_settle before insert or update on calls for each row execute function calls_settle();

-- Append only: everything that was learnt about a call, once each.
create table call_events (
    call_id uuid not null references calls (id),
    -- The natural key of the fact within its call.
    key text not null,
    kind text not null,
    fact jsonb not null,
    -- When it happened, by whoever reported it.
    at timestamptz not null,
    received_at timestamptz not null,
    -- The vendor's own words, for whoever wants to know more.
    raw jsonb,
    primary key (call_id, key)
);

-- Why the guard let an attempt pass, or did not: evidence.
create table guard_decisions (
    call_id uuid not null references calls (id),
    decided_at timestamptz not null,
    decision text not null,
    because text,
    rules_version text not null,
    inputs jsonb not null,
    primary key (call_id, decided_at)
);

create table idempotency_keys (
    token text not null,
    key text not null,
    request_sha256 text not null,
    call_id uuid not null references calls (id),
    response jsonb not null,
    created_at timestamptz not null,
    primary key (token, key)
);

-- The first nine columns and the indexes on call_id and campaign_id are those of the integration guide.
create table conversations (
    id serial primary key,
    call_id varchar(255) not null,
    agent_id varchar(255),
    campaign_id varchar(255),
    duration_seconds integer,
    messages jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- ElevenLabs' id; in the guide's flat shape, which has none, the call id.
    conversation_id text not null unique,
    status text not null,
    -- A fuller copy replaces a poorer one: compared as (final, turns, event_timestamp).
    final boolean not null,
    turns integer not null,
    event_timestamp bigint not null,
    started_at timestamptz,
    summary text,
    successful text,
    analysis jsonb,
    cost bigint,
    cost_fiat double precision,
    latencies jsonb,
    termination_reason text,
    has_audio boolean,
    user_id text,
    -- Text that PostgreSQL cannot hold was replaced; the raw object keeps it.
    text_mended boolean not null,
    raw_key text not null,
    source text not null
);
create index conversations_call_id on conversations (call_id);
create index conversations_campaign_id on conversations (campaign_id);

create table call_recordings (
    id serial primary key,
    call_id varchar(255) not null,
    conversation_id text not null unique,
    campaign_id varchar(255),
    storage_path text not null,
    duration_seconds double precision,
    bytes bigint not null,
    sha256 text not null,
    content_type text not null,
    source text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index call_recordings_call_id on call_recordings (call_id);
create index call_recordings_campaign_id on call_recordings (campaign_id);

-- The ledger of what the agent's vendor delivered, by the digest of its bytes.
create table deliveries (
    digest text primary key,
    event_type text not null,
    conversation_id text,
    raw_key text not null,
    received_at timestamptz not null,
    handled_at timestamptz not null,
    -- stored, superseded (a fuller copy was here already), refused
    result text not null,
    reason text
);
create index deliveries_received on deliveries (received_at desc);
