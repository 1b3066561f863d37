-- Asleep when idle: the schedules that ask the database every few minutes are on only while there is work, so that a
-- serverless database can pause. How that loses nothing stands in shared/src/schedules.rs.

create table wakefulness (
    one boolean primary key default true check (one),
    -- Whether the schedules are believed to be on: whoever makes work then need not ask AWS.
    awake boolean not null default true,
    -- When somebody last saw work.
    busy_at timestamptz not null default '-infinity'
);
insert into wakefulness default values;

-- Whether anything waits for a schedule. Each question is answered by the first entry of a partial index: campaigns_running,
-- calls_due, calls_settle_at, conversations_audio_at, imports_open, exports_open, outbox_deliveries_due.
create view work as
select exists (select from campaigns where state = 'running')
    -- An attempt that waits; a call that somebody still looks for. One that nothing can be found of any more is no work.
    or exists (select from calls where state in ('intent', 'placing'))
    or exists (select from calls where settle_at is not null)
    or exists (select from conversations where audio_at is not null)
    or exists (select from imports where state in ('queued', 'running'))
    or exists (select from exports where state in ('queued', 'running'))
    or exists (
        select from event_endpoints e join outbox_deliveries d on d.endpoint_id = e.id
        where e.state = 'active' and d.state = 'pending'
    ) as there_is;
