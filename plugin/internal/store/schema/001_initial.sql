-- One schema for SQLite and Postgres. Times are unix milliseconds, 0 is "none".
-- whatsmeow's own tables (whatsmeow_*) live beside these and migrate themselves.

CREATE TABLE tapnode_instances (
	name       TEXT   PRIMARY KEY,
	jid        TEXT   NOT NULL DEFAULT '', -- device JID, with the device number
	lid        TEXT   NOT NULL DEFAULT '',
	wanted     TEXT   NOT NULL,
	state      TEXT   NOT NULL DEFAULT '',
	reason     TEXT   NOT NULL DEFAULT '',
	state_at   BIGINT NOT NULL DEFAULT 0,
	epoch      BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL
);

CREATE TABLE tapnode_ledger (
	operation   TEXT     NOT NULL,
	idem_key    TEXT     NOT NULL,
	fingerprint TEXT     NOT NULL,
	instance    TEXT     NOT NULL,
	chat        TEXT     NOT NULL DEFAULT '', -- phone or group JID
	chat_lid    TEXT     NOT NULL DEFAULT '',
	message_id  TEXT     NOT NULL,
	state       SMALLINT NOT NULL,
	profile     TEXT     NOT NULL DEFAULT '',
	message     BYTEA,
	outcome     BYTEA,
	warnings    BYTEA,
	created_at  BIGINT   NOT NULL,
	updated_at  BIGINT   NOT NULL,
	expires_at  BIGINT   NOT NULL,
	PRIMARY KEY (operation, idem_key)
);
CREATE UNIQUE INDEX tapnode_ledger_message ON tapnode_ledger (instance, message_id);
CREATE INDEX tapnode_ledger_expiry ON tapnode_ledger (expires_at);

CREATE TABLE tapnode_menus (
	instance    TEXT   NOT NULL,
	message_id  TEXT   NOT NULL,
	chat        TEXT   NOT NULL DEFAULT '', -- phone or group JID
	chat_lid    TEXT   NOT NULL DEFAULT '',
	buttons     BYTEA  NOT NULL,
	correlation TEXT   NOT NULL DEFAULT '',
	source      TEXT   NOT NULL DEFAULT '',
	clicks      BIGINT NOT NULL DEFAULT 0,
	sent_at     BIGINT NOT NULL, -- settled later, so no index holds it
	expires_at  BIGINT NOT NULL, -- 0: as long as it is kept
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (instance, message_id)
);
CREATE INDEX tapnode_menus_chat ON tapnode_menus (instance, chat, created_at) WHERE chat <> '';
CREATE INDEX tapnode_menus_lid ON tapnode_menus (instance, chat_lid, created_at) WHERE chat_lid <> '';
CREATE INDEX tapnode_menus_created ON tapnode_menus (created_at);

CREATE TABLE tapnode_events (
	seq         BIGINT PRIMARY KEY,
	id          TEXT   NOT NULL,
	type        TEXT   NOT NULL,
	instance    TEXT   NOT NULL,
	subject     TEXT   NOT NULL DEFAULT '',
	correlation TEXT   NOT NULL DEFAULT '',
	data        BYTEA  NOT NULL,
	time        BIGINT NOT NULL,
	stored_at   BIGINT NOT NULL
);
CREATE INDEX tapnode_events_stream ON tapnode_events (type, instance, seq);
CREATE INDEX tapnode_events_stored ON tapnode_events (stored_at);

-- Ids outlive their events, so that a redelivery is known after the host acked.
CREATE TABLE tapnode_seen (
	id      TEXT   PRIMARY KEY,
	seen_at BIGINT NOT NULL
);
CREATE INDEX tapnode_seen_at ON tapnode_seen (seen_at);

-- The highest sequence that was removed, per stream: a cursor below it has a gap.
CREATE TABLE tapnode_event_floors (
	type     TEXT   NOT NULL,
	instance TEXT   NOT NULL,
	seq      BIGINT NOT NULL,
	moved_at BIGINT NOT NULL,
	PRIMARY KEY (type, instance)
);

-- A row lock makes commit order the order of sequences on Postgres too.
CREATE TABLE tapnode_sequence (
	name  TEXT   PRIMARY KEY,
	value BIGINT NOT NULL
);

CREATE TABLE tapnode_subscribers (
	name      TEXT   PRIMARY KEY,
	types     TEXT   NOT NULL DEFAULT '[]', -- JSON arrays; [] is every one
	instances TEXT   NOT NULL DEFAULT '[]',
	acked     BIGINT NOT NULL,
	seen_at   BIGINT NOT NULL
);

CREATE TABLE tapnode_recipients (
	query      TEXT   PRIMARY KEY,
	jid        TEXT   NOT NULL DEFAULT '',
	lid        TEXT   NOT NULL DEFAULT '',
	found      BOOLEAN NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX tapnode_recipients_expiry ON tapnode_recipients (expires_at);

CREATE TABLE tapnode_messages (
	instance   TEXT    NOT NULL,
	message_id TEXT    NOT NULL,
	chat       TEXT    NOT NULL,
	chat_lid   TEXT    NOT NULL DEFAULT '',
	sender     TEXT    NOT NULL,
	from_me    BOOLEAN NOT NULL,
	source     TEXT    NOT NULL DEFAULT '',
	body       BYTEA   NOT NULL,
	sent_at    BIGINT  NOT NULL,
	stored_at  BIGINT  NOT NULL,
	PRIMARY KEY (instance, message_id)
);
CREATE INDEX tapnode_messages_stored ON tapnode_messages (stored_at);

CREATE TABLE tapnode_uploads (
	instance   TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	sha256     BYTEA  NOT NULL,
	descriptor BYTEA  NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (instance, kind, sha256)
);
CREATE INDEX tapnode_uploads_expiry ON tapnode_uploads (expires_at);
