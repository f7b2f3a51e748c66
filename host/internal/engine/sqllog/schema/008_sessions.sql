-- Browsers that have signed in. Secrets are kept as SHA-256, in hex. token is the id of the token that
-- a session has its rights from, and origin the hash of that token's secret when it began. Of a token
-- that is no row of engine_tokens, scopes and instances say what the session may do.
CREATE TABLE engine_sessions (
	id         TEXT   NOT NULL PRIMARY KEY,
	hash       TEXT   NOT NULL UNIQUE,
	token      TEXT   NOT NULL,
	origin     TEXT   NOT NULL,
	scopes     TEXT   NOT NULL,
	instances  TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL -- about: it is not written at each use
);
CREATE INDEX engine_sessions_token ON engine_sessions (token, used_at);
CREATE INDEX engine_sessions_age ON engine_sessions (used_at);

-- Codes of links to sign in by, each for once.
CREATE TABLE engine_codes (
	hash       TEXT   NOT NULL PRIMARY KEY,
	scopes     TEXT   NOT NULL,
	expires_at BIGINT NOT NULL
);
