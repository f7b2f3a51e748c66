-- Runs that somebody has begun to try a version out.
ALTER TABLE engine_runs ADD COLUMN trial BIGINT NOT NULL DEFAULT 0;
