-- Events out: what happened is written down in the transaction in which it happens, and brought to whoever wants to know.

create table event_endpoints (
    id uuid primary key,
    -- `bus` is the deployment's event bus, at most one of them active; publish-events keeps its row.
    kind text not null check (kind in ('https', 'bus')),
    -- The address, or the name of the bus.
    target text not null,
    description text,
    -- Which types; none named is all.
    types text[] not null default '{}',
    state text not null default 'active' check (state in ('active', 'disabled')),
    -- Why it is disabled.
    because text,
    -- As its owner has them, because we sign with them. Both sign until the old one's time is over.
    secret text,
    old_secret text,
    old_secret_until timestamptz,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    last_failure text,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check ((kind = 'https') = (secret is not null)),
    check ((old_secret is null) = (old_secret_until is null))
);
create unique index event_endpoints_bus on event_endpoints (target) where kind = 'bus';

-- One row a fact, once: its id follows from the fact, and so is the same wherever and however often it is written.
create table outbox (
    id text primary key,
    type text not null,
    -- What it is about, and so its natural key within the type.
    subject text not null,
    at timestamptz not null,
    data jsonb not null,
    unique (type, subject)
);

create table outbox_deliveries (
    event_id text not null references outbox (id),
    endpoint_id uuid not null references event_endpoints (id) on delete cascade,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    -- The next try; while one is under way, when it counts as lost.
    next_at timestamptz not null,
    attempted_at timestamptz,
    delivered_at timestamptz,
    -- Why the last try failed.
    error text,
    created_at timestamptz not null,
    primary key (endpoint_id, event_id)
);
-- What is due at an endpoint.
create index outbox_deliveries_due on outbox_deliveries (endpoint_id, next_at, event_id) where state = 'pending';
-- The oldest that waits.
create index outbox_deliveries_waiting on outbox_deliveries (created_at) where state = 'pending';
-- What was given up.
create index outbox_deliveries_failed on outbox_deliveries (endpoint_id, created_at desc) where state = 'failed';
-- References of events.
create index outbox_deliveries_event on outbox_deliveries (event_id);

-- A time as it stands in an event, whatever the session's zone.
create function utc(at timestamptz) returns text language sql immutable parallel safe as $$
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Writes an event down, unless it is there, and whom it is to be brought to.
create function emit(what text, about text, occurred timestamptz, details jsonb) returns void language plpgsql as $$
declare
    message text := 'msg_' || left(encode(sha256(convert_to(what || ' ' || about, 'UTF8')), 'hex'), 32);
begin
    insert into outbox (id, type, subject, at, data) values (message, what, about, occurred, details)
    on conflict do nothing;
    if found then
        insert into outbox_deliveries (event_id, endpoint_id, next_at, created_at)
        select message, e.id, occurred, occurred from event_endpoints e
        where e.state = 'active' and (e.types = '{}' or what = any (e.types));
    end if;
end
$$;

-- At the end of its transaction, because the rest of the transaction may still change what the call is, or unsettle it.
create function calls_emit_settled() returns trigger language plpgsql as $$
declare
    c calls;
begin
    select * into c from calls where id = new.id and settled_at is not null;
    if found then
        perform emit('call.settled', c.id::text, c.settled_at, jsonb_build_object(
            'call_id', c.id, 'campaign_id', c.campaign_id, 'contact_id', c.contact_id, 'agent', c.agent,
            'outcome', c.outcome, 'conversation_id', c.conversation_id, 'transcript', c.transcript = 'stored',
            'recording', c.recording = 'stored', 'duration_secs', c.duration_secs, 'created_at', utc(c.created_at),
            'placed_at', utc(c.placed_at), 'answered_at', utc(c.answered_at), 'ended_at', utc(c.ended_at),
            'settled_at', utc(c.settled_at)));
    end if;
    return null;
end
$$;
create constraint trigger calls_emit_settled_insert after insert on calls deferrable initially deferred
    for each row when (new.settled_at is not null) execute function calls_emit_settled();
create constraint trigger calls_emit_settled_update after update on calls deferrable initially deferred
    for each row when (new.settled_at is not null and old.settled_at is null) execute function calls_emit_settled();

create function calls_emit_blocked() returns trigger language plpgsql as $$
begin
    perform emit('call.blocked', new.id::text, new.updated_at, jsonb_build_object(
        'call_id', new.id, 'contact_id', new.contact_id, 'campaign_id', new.campaign_id, 'because', new.reason));
    return null;
end
$$;
create trigger calls_emit_blocked after insert or update on calls
    for each row when (new.outcome = 'blocked' and new.outcome_final) execute function calls_emit_blocked();

-- A contact whose attempt was blocked is told of by that attempt.
create function contacts_emit_blocked() returns trigger language plpgsql as $$
begin
    if not exists (select from calls where id = new.last_call and outcome = 'blocked') then
        perform emit('call.blocked', 'contact ' || new.id, new.updated_at, jsonb_build_object(
            'call_id', null, 'contact_id', new.id, 'campaign_id', new.campaign_id, 'because', new.because));
    end if;
    return null;
end
$$;
create trigger contacts_emit_blocked after insert or update on contacts
    for each row when (new.outcome = 'blocked') execute function contacts_emit_blocked();

-- A number that was lifted and is suppressed again is another fact.
create function numbers_emit_suppressed() returns trigger language plpgsql as $$
begin
    perform emit('number.suppressed', new.number || ' ' || utc(new.suppressed_at), new.suppressed_at,
        jsonb_build_object('number', new.number, 'source', new.suppressed_by, 'call_id', new.suppressed_call,
            'suppressed_at', utc(new.suppressed_at)));
    return null;
end
$$;
create trigger numbers_emit_suppressed_insert after insert on numbers
    for each row when (new.suppressed_at is not null) execute function numbers_emit_suppressed();
create trigger numbers_emit_suppressed_update after update on numbers
    for each row when (new.suppressed_at is not null and old.suppressed_at is null)
    execute function numbers_emit_suppressed();

create function campaigns_emit_paused() returns trigger language plpgsql as $$
begin
    perform emit('campaign.paused', new.id || ' ' || utc(new.updated_at), new.updated_at, jsonb_build_object(
        'campaign_id', new.id, 'decided_by', new.decided_by, 'because', new.because,
        'paused_at', utc(new.updated_at)));
    return null;
end
$$;
create trigger campaigns_emit_paused_insert after insert on campaigns
    for each row when (new.state = 'paused') execute function campaigns_emit_paused();
create trigger campaigns_emit_paused_update after update on campaigns
    for each row when (new.state = 'paused' and old.state <> 'paused') execute function campaigns_emit_paused();
