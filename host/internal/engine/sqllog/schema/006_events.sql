-- The outbox: what others are told, in the order of the commits. seq is of engine_totals.
CREATE TABLE engine_events (
	seq       BIGINT PRIMARY KEY,
	id        TEXT   NOT NULL UNIQUE,
	type      TEXT   NOT NULL,
	instance  TEXT   NOT NULL,
	run       TEXT   NOT NULL,
	at        BIGINT NOT NULL,
	stored_at BIGINT NOT NULL,
	data      BYTEA  NOT NULL
);
CREATE INDEX engine_events_instance ON engine_events (instance, seq);
ALTER TABLE engine_totals ADD COLUMN event_bytes BIGINT NOT NULL DEFAULT 0; -- of all data in engine_events
ALTER TABLE engine_totals ADD COLUMN events_gone BIGINT NOT NULL DEFAULT 0; -- the newest event that was removed
ALTER TABLE engine_totals ADD COLUMN webhooks BIGINT NOT NULL DEFAULT 0; -- counts the changes of webhooks

-- Who is told. One with an owner was set by the seed's API for that instance, under its label.
-- What is up to position is delivered, or has a row in engine_webhook_queue or _dead.
CREATE TABLE engine_webhooks (
	id             TEXT   PRIMARY KEY,
	owner          TEXT   REFERENCES engine_instances (name) ON DELETE CASCADE,
	label          TEXT   NOT NULL,
	settings       TEXT   NOT NULL, -- JSON
	rotation       TEXT   NOT NULL, -- its key is derived from this and from the server's secret
	previous       TEXT   NOT NULL, -- the rotation before, good until previous_until
	previous_until BIGINT NOT NULL,
	enabled        BIGINT NOT NULL,
	reason         TEXT   NOT NULL, -- why it was disabled, if the host did it
	position       BIGINT NOT NULL,
	lost           BIGINT NOT NULL, -- events and dead letters that were removed over a limit
	logged         BIGINT NOT NULL, -- attempts that have been made
	created_at     BIGINT NOT NULL,
	UNIQUE (owner, label)
);
INSERT INTO engine_webhooks (id, owner, label, settings, rotation, previous, previous_until, enabled, reason, position, lost, logged, created_at)
	SELECT 'wh_' || row_number() OVER (ORDER BY instance, label), instance, label, settings, '', '', 0,
		CASE WHEN settings LIKE '%"enabled":true%' THEN 1 ELSE 0 END, '', (SELECT seq FROM engine_totals), 0, 0, 0
	FROM engine_outlets WHERE kind = 'webhook';
DELETE FROM engine_outlets WHERE kind = 'webhook';

-- Events that wait for their turn again, and those behind them.
CREATE TABLE engine_webhook_queue (
	webhook TEXT   NOT NULL REFERENCES engine_webhooks (id) ON DELETE CASCADE,
	seq     BIGINT NOT NULL,
	lane    TEXT   NOT NULL,
	attempt BIGINT NOT NULL, -- that were made
	at      BIGINT NOT NULL, -- of the next
	PRIMARY KEY (webhook, seq)
);

-- Events that are not tried any more.
CREATE TABLE engine_webhook_dead (
	webhook   TEXT   NOT NULL REFERENCES engine_webhooks (id) ON DELETE CASCADE,
	seq       BIGINT NOT NULL,
	id        TEXT   NOT NULL,
	type      TEXT   NOT NULL,
	instance  TEXT   NOT NULL,
	run       TEXT   NOT NULL,
	at        BIGINT NOT NULL,
	data      BYTEA  NOT NULL,
	attempt   BIGINT NOT NULL,
	code      TEXT   NOT NULL, -- why
	error     TEXT   NOT NULL, -- of the last attempt
	stored_at BIGINT NOT NULL,
	PRIMARY KEY (webhook, seq)
);
CREATE INDEX engine_webhook_dead_age ON engine_webhook_dead (stored_at);

-- The newest attempts of each webhook: slot is n modulo their number.
CREATE TABLE engine_webhook_log (
	webhook TEXT   NOT NULL REFERENCES engine_webhooks (id) ON DELETE CASCADE,
	slot    BIGINT NOT NULL,
	n       BIGINT NOT NULL,
	event   TEXT   NOT NULL,
	type    TEXT   NOT NULL,
	at      BIGINT NOT NULL,
	took    BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	status  BIGINT NOT NULL,
	error   TEXT   NOT NULL,
	PRIMARY KEY (webhook, slot)
);

-- Which of the hosts that share a database does something alone. until is the database's clock.
CREATE TABLE engine_leases (
	name  TEXT   PRIMARY KEY,
	owner TEXT   NOT NULL,
	until BIGINT NOT NULL
);
