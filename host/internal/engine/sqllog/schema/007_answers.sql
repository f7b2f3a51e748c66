-- What requests over HTTP were answered by their Idempotency-Key: see package answers. The
-- status is 0 while the first of them acts.
CREATE TABLE engine_answers (
	owner    TEXT   NOT NULL,
	key      TEXT   NOT NULL,
	request  TEXT   NOT NULL, -- a hash of it
	begun_at BIGINT NOT NULL,
	status   BIGINT NOT NULL,
	type     TEXT   NOT NULL,
	location TEXT   NOT NULL,
	body     BYTEA  NOT NULL,
	cut      BIGINT NOT NULL,
	PRIMARY KEY (owner, key)
);
CREATE INDEX engine_answers_age ON engine_answers (begun_at);
