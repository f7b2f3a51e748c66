-- Calls have lanes, and timeouts a queue of their own.
ALTER TABLE engine_tasks ADD COLUMN lane TEXT NOT NULL DEFAULT '';
UPDATE engine_tasks SET queue = 'timeouts' WHERE kind = 'timeout';

-- Where each subscription of this host, or of all hosts that share the database, goes on.
CREATE TABLE engine_cursors (
	subscription TEXT   PRIMARY KEY,
	cursor       BYTEA  NOT NULL,
	stored_at    BIGINT NOT NULL
);

-- Events that could not be delivered.
CREATE TABLE engine_dead (
	seq       BIGINT PRIMARY KEY, -- of engine_totals
	id        TEXT   NOT NULL UNIQUE,
	stored_at BIGINT NOT NULL,
	data      BYTEA  NOT NULL
);
CREATE INDEX engine_dead_age ON engine_dead (stored_at);
CREATE INDEX engine_cursors_age ON engine_cursors (stored_at);

-- Runs that get in each other's way, and engine_totals.seq of those that are queued.
ALTER TABLE engine_runs ADD COLUMN claim TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_runs ADD COLUMN queued BIGINT NOT NULL DEFAULT 0;
CREATE INDEX engine_runs_claim ON engine_runs (claim, queued) WHERE ended = 0 AND claim <> '';
