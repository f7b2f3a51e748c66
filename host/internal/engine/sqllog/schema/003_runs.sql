-- What a run can be found by. Rows of older hosts have the status '' until a sweep has
-- filled them in; until then nothing but their id finds them.
ALTER TABLE engine_runs ADD COLUMN flow TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_runs ADD COLUMN status TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_runs ADD COLUMN error TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_runs ADD COLUMN waits TEXT NOT NULL DEFAULT ''; -- nodes with an armed wait, one a line
ALTER TABLE engine_runs ADD COLUMN subjects TEXT NOT NULL DEFAULT ''; -- whom and what it is about, one a line
CREATE INDEX engine_runs_newest ON engine_runs (started_at, id);
CREATE INDEX engine_runs_flow ON engine_runs (flow, started_at, id);
CREATE INDEX engine_runs_status ON engine_runs (status, started_at, id) WHERE status <> 'succeeded';
DROP INDEX engine_runs_digest;
CREATE INDEX engine_runs_digest ON engine_runs (digest, started_at, id);

-- Nodes that a run waits at and subjects, each with the place of the run among the others.
CREATE TABLE engine_terms (
	term       TEXT   NOT NULL,
	started_at BIGINT NOT NULL,
	run        TEXT   NOT NULL,
	PRIMARY KEY (term, started_at, run)
) -- sqlite: WITHOUT ROWID
;

-- deployed_at is the time of the last change of state.
ALTER TABLE engine_flows ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE engine_flows ADD COLUMN state TEXT NOT NULL DEFAULT 'retired';
ALTER TABLE engine_flows ADD COLUMN manifests TEXT NOT NULL DEFAULT '';
UPDATE engine_flows SET number = (SELECT count(*) FROM engine_flows AS o WHERE o.flow = engine_flows.flow
	AND (o.deployed_at < engine_flows.deployed_at OR o.deployed_at = engine_flows.deployed_at AND o.digest <= engine_flows.digest));
DROP INDEX engine_flows_flow;
CREATE UNIQUE INDEX engine_flows_flow ON engine_flows (flow, number);
CREATE UNIQUE INDEX engine_flows_published ON engine_flows (flow) WHERE state = 'published';
-- flows counts the changes of what is published.
ALTER TABLE engine_totals ADD COLUMN flows BIGINT NOT NULL DEFAULT 0;
