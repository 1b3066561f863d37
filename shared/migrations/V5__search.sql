-- Reading: every list in the order of its cursor, and what was said in full text.

-- What was said in a conversation, turn by turn.
create function said(messages jsonb) returns text language sql immutable parallel safe as $$
    select string_agg(turn->>'message', E'\n' order by at)
    from jsonb_array_elements(case jsonb_typeof(messages) when 'array' then messages end) with ordinality as t (turn, at)
$$;

alter table conversations
    -- `simple`: words as they were spoken, in any language. English would drop "not" and "don't", which are what somebody
    -- looks for who looks for an opt-out. A tsvector ends at 1 MB, and a transcript must not fail by being long: 100,000
    -- characters, nearly two hours of talk, are indexed.
    add column words tsvector generated always as (to_tsvector('simple', left(said(messages), 100000))) stored,
    -- Its call, where call_id is one of ours.
    add column call_uuid uuid generated always as (case
        when call_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then call_id::uuid end) stored;
create index conversations_words on conversations using gin (words);
create index conversations_call on conversations (call_uuid) where call_uuid is not null;
create index conversations_created on conversations (created_at desc, id desc);

-- GET /api/calls without a filter, by agent, by outcome, by state.
create index calls_created on calls (created_at desc, id desc);
create index calls_agent on calls (agent, created_at desc, id desc);
create index calls_outcome on calls (outcome, created_at desc, id desc) where outcome is not null;
create index calls_open on calls (state, created_at desc, id desc) where state <> 'ended';
-- A day of the settlement.
create index calls_asked_at on calls ((coalesce(claimed_at, created_at)));

create index deliveries_conversation on deliveries (conversation_id, received_at desc) where conversation_id is not null;
create index deliveries_refused on deliveries (received_at desc, digest desc) where result = 'refused';
