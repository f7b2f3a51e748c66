-- One schema for SQLite and Postgres. Times are unix milliseconds, those of tasks
-- microseconds, so that a call that is due now is not due in a moment; 0 is "none".

-- One row. seq is counted by one transaction at a time, so that sequences are in the order
-- of the commits and a cursor on them skips nothing.
CREATE TABLE engine_totals (
	id    BIGINT PRIMARY KEY,
	seq   BIGINT NOT NULL, -- of the newest step
	gone  BIGINT NOT NULL, -- the newest step that was removed for its age or number
	runs  BIGINT NOT NULL,
	bytes BIGINT NOT NULL  -- of all states
);
INSERT INTO engine_totals (id, seq, gone, runs, bytes) VALUES (1, 0, 0, 0, 0);

CREATE TABLE engine_runs (
	id         TEXT   PRIMARY KEY,
	revision   BIGINT NOT NULL,
	digest     TEXT   NOT NULL, -- of its flow's version
	started_at BIGINT NOT NULL,
	ended      BIGINT NOT NULL, -- engine_totals.seq when it was over, 0 while it goes on
	ended_at   BIGINT NOT NULL,
	bytes      BIGINT NOT NULL, -- of state
	state      BYTEA  NOT NULL
);
CREATE INDEX engine_runs_ended ON engine_runs (ended_at, ended) WHERE ended > 0;
CREATE INDEX engine_runs_digest ON engine_runs (digest);

CREATE TABLE engine_waits (
	correlation TEXT   PRIMARY KEY,
	run         TEXT   NOT NULL,
	node        TEXT   NOT NULL,
	visit       BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL
);
CREATE INDEX engine_waits_run ON engine_waits (run);
CREATE INDEX engine_waits_expiry ON engine_waits (expires_at);

CREATE TABLE engine_tasks (
	id      TEXT   PRIMARY KEY,
	queue   TEXT   NOT NULL,
	run     TEXT   NOT NULL,
	kind    TEXT   NOT NULL,
	visit   BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	due     BIGINT NOT NULL,
	at      BIGINT NOT NULL, -- when it is handed out next: when it is due or its lease ends
	token   TEXT   NOT NULL  -- of the lease; on SQLite leases live in the process
);
CREATE INDEX engine_tasks_next ON engine_tasks (queue, at, id);
CREATE INDEX engine_tasks_run ON engine_tasks (run);

CREATE TABLE engine_steps (
	seq       BIGINT PRIMARY KEY, -- of the last step in data
	run       TEXT   NOT NULL,
	flow      TEXT   NOT NULL,
	stored_at BIGINT NOT NULL,
	data      BYTEA  NOT NULL -- all steps of one Append, a JSON array without run and flow
);
CREATE INDEX engine_steps_run ON engine_steps (run, seq);

CREATE TABLE engine_flows (
	digest      TEXT   PRIMARY KEY,
	flow        TEXT   NOT NULL,
	source      BYTEA  NOT NULL,
	deployed_at BIGINT NOT NULL
);
CREATE INDEX engine_flows_flow ON engine_flows (flow, deployed_at);
CREATE INDEX engine_flows_age ON engine_flows (deployed_at);
