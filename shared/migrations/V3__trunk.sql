-- Agents that ElevenLabs dials for, through SignalWire as its SIP trunk.

alter table agents
    -- The imported number's id at ElevenLabs (phnum_…): what it dials from.
    add column elevenlabs_phone_number_id text,
    add constraint agents_trunk_number check (connect <> 'trunk' or elevenlabs_phone_number_id is not null);

alter table calls
    -- As they were when the attempt was written down.
    add column connect text not null default 'sip' check (connect in ('sip', 'trunk')),
    add column elevenlabs_phone_number_id text,
    add constraint calls_trunk_number check (connect <> 'trunk' or elevenlabs_phone_number_id is not null);

-- Failed dials of ElevenLabs that name a conversation which no call is known to have yet: the event can come before the
-- answer to the question that set it off. Whoever ties the conversation to its call takes them along.
create table initiation_failures (
    conversation_id text not null,
    -- The natural key of the fact, as in call_events.
    key text not null,
    fact jsonb not null,
    at timestamptz not null,
    received_at timestamptz not null,
    primary key (conversation_id, key)
);
