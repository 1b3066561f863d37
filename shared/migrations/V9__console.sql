-- The console: who is signed in, and what its pages count.

-- A session is a random secret in a browser; here is its digest, so that this table signs nobody in. It ends with its time,
-- by signing out, and with its token: a token that is configured no more finds no holder.
create table console_sessions (
    secret_sha256 bytea primary key,
    token_sha256 bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index console_sessions_expires on console_sessions (expires_at);

-- Outcomes by hour, read from the index alone.
create index calls_hours on calls (created_at) include (outcome);
-- What a day cost.
create index conversations_spend on conversations (created_at) include (cost, cost_fiat);
