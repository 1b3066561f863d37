-- What the breaker holds against a campaign's last attempts begins here: when its owner last let it go on.
alter table campaigns add column judged_from timestamptz;
