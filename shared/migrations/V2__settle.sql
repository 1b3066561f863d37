-- Everything comes home: when to look, what is known not to exist, and how far the vendors' lists were read.

alter table calls
    -- When reconcile looks at this call next, and how often it has looked in vain.
    add column settle_at timestamptz,
    add column looks integer not null default 0,
    -- First time that a fact came from reconcile, not from a webhook.
    add column healed_at timestamptz,
    add column transcript_absent_because text;
alter table calls rename column absent_because to recording_absent_because;
create index calls_settle_at on calls (settle_at) where settle_at is not null;

alter table conversations
    -- When the recording is asked for: it was not pushed in time. Null: it is here, or known not to exist.
    add column audio_at timestamptz,
    add column audio_looks integer not null default 0;
create index conversations_audio_at on conversations (audio_at) where audio_at is not null;

-- Every carrier id that was ever heard of: a found call is bound only once.
create index call_events_sid on call_events ((fact->>'sid')) where fact ? 'sid';

-- How far the list of an agent's conversations was read. Everything before it is stored as final.
create table reconcile_watermarks (
    elevenlabs_agent_id text primary key,
    read_until timestamptz not null
);

create or replace function calls_settle() returns trigger language plpgsql as $$
begin
    if new.state = 'ended' and new.outcome_final
        -- Giving up is not settling.
        and new.outcome is distinct from 'unknown'
        and (
            -- Nobody talked with the agent: there is nothing to bring home.
            new.agent_connected is not true
            or (new.transcript <> 'expected' and new.recording <> 'expected')
        )
    then
        new.settled_at := coalesce(new.settled_at, new.updated_at);
        new.settle_at := null;
    else
        -- A fuller fact may show that something is still missing after all.
        new.settled_at := null;
        if tg_op = 'INSERT' or (new.state, new.outcome, new.outcome_final, new.agent_connected, new.transcript)
            is distinct from (old.state, old.outcome, old.outcome_final, old.agent_connected, old.transcript)
        then
            new.looks := 0;
            -- How long webhooks are given before reconcile asks. An intent is the trigger's.
            new.settle_at := new.updated_at + case new.state
                when 'unknown' then interval '30 seconds'
                when 'queued' then interval '3 minutes'
                when 'ringing' then make_interval(secs => new.ring_timeout_secs + 60)
                when 'in_progress' then make_interval(secs => new.max_duration_secs + 60)
                when 'ended' then interval '5 minutes'
            end;
        end if;
    end if;
    return new;
end
$$;

-- What is missing, and since when.
create view unsettled_calls as
select c.id, c.to_number, c.agent, c.campaign_id, c.state, c.outcome, c.outcome = 'unknown' as given_up,
    array_remove(array[
        case when not (c.state = 'ended' and c.outcome_final) then 'outcome' end,
        case when c.agent_connected is not false and c.transcript = 'expected' then 'transcript' end,
        case when c.agent_connected is not false and c.recording = 'expected' then 'recording' end], null) as missing,
    coalesce(c.ended_at, c.claimed_at, c.created_at) as since,
    c.settle_at, c.looks
from calls c
where c.settled_at is null;
