-- Numbers that one statement suppresses are told of by one statement: a trigger a row took most of the time that a long list took.

drop trigger numbers_emit_suppressed_insert on numbers;
drop trigger numbers_emit_suppressed_update on numbers;
drop function numbers_emit_suppressed();

-- As emit() does it for one event. A number that was lifted and is suppressed again is another fact.
create function emit_suppressed(changed numbers[]) returns void language sql as $$
    with facts as materialized (
        select n.*, utc(suppressed_at) as since from unnest(changed) n
    ), told as (
        insert into outbox (id, type, subject, at, data)
        select 'msg_' || left(encode(sha256(convert_to('number.suppressed ' || number || ' ' || since, 'UTF8')), 'hex'), 32),
            'number.suppressed', number || ' ' || since, suppressed_at,
            jsonb_build_object('number', number, 'source', suppressed_by, 'call_id', suppressed_call,
                'suppressed_at', since)
        from facts
        on conflict do nothing
        returning id, at
    )
    insert into outbox_deliveries (event_id, endpoint_id, next_at, created_at)
    select t.id, e.id, t.at, t.at from told t cross join event_endpoints e
    where e.state = 'active' and (e.types = '{}' or 'number.suppressed' = any (e.types))
$$;

create function numbers_emit_suppressed() returns trigger language plpgsql as $$
declare
    changed numbers[];
begin
    if tg_op = 'INSERT' then
        changed := array(select f from fresh f where suppressed_at is not null);
    else
        -- `not in` is a hash, whatever is known of how many there are.
        changed := array(select f from fresh f where suppressed_at is not null
            and number not in (select number from stale where suppressed_at is not null));
    end if;
    if cardinality(changed) > 0 then
        perform emit_suppressed(changed);
    end if;
    return null;
end
$$;
create trigger numbers_emit_suppressed_insert after insert on numbers
    referencing new table as fresh for each statement execute function numbers_emit_suppressed();
create trigger numbers_emit_suppressed_update after update on numbers
    referencing old table as stale new table as fresh for each statement execute function numbers_emit_suppressed();
