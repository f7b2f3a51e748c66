-- A draft may be a file that cannot run, or one that says the same as another version: it has the key
-- draft:FLOW then. tried means that runs began with it, so that it is not forgotten for the next.
ALTER TABLE engine_flows ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_flows ADD COLUMN saved_by TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_flows ADD COLUMN tried BIGINT NOT NULL DEFAULT 0;
-- The lists of flows and versions are read from here, and not from beside the files.
CREATE INDEX engine_flows_listed ON engine_flows (flow, number, state, deployed_at, digest, manifests, name, saved_by);
CREATE UNIQUE INDEX engine_flows_draft ON engine_flows (flow) WHERE state = 'draft';
