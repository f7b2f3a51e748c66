-- Who may use the API: tokens as SHA-256, in hex. scopes and instances are lists with a space
-- between, no instances are all of them.
CREATE TABLE engine_tokens (
	id             TEXT   NOT NULL PRIMARY KEY,
	name           TEXT   NOT NULL,
	scopes         TEXT   NOT NULL,
	instances      TEXT   NOT NULL,
	hash           TEXT   NOT NULL UNIQUE,
	created_at     BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	used_at        BIGINT NOT NULL, -- about: it is not written at each use
	previous       TEXT   NOT NULL, -- the hash before the last rotation
	previous_until BIGINT NOT NULL
);

-- What is left of the limits of those who call, in thousandths of a request. A row is of no use
-- after a minute.
CREATE TABLE engine_buckets (
	caller TEXT   NOT NULL,
	kind   TEXT   NOT NULL,
	level  BIGINT NOT NULL,
	at     BIGINT NOT NULL,
	PRIMARY KEY (caller, kind)
);

-- Who changed what. The ids are in the order of time.
CREATE TABLE engine_audit (
	id        TEXT   NOT NULL PRIMARY KEY,
	stored_at BIGINT NOT NULL,
	caller    TEXT   NOT NULL,
	name      TEXT   NOT NULL,
	action    TEXT   NOT NULL,
	about     TEXT   NOT NULL,
	origin    TEXT   NOT NULL,
	status    BIGINT NOT NULL
);
CREATE INDEX engine_audit_age ON engine_audit (stored_at);
