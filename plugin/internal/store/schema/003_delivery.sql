-- How far a send came and when, and what its events say of it. 0: never there.
ALTER TABLE tapnode_ledger ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE tapnode_ledger ADD COLUMN correlation TEXT NOT NULL DEFAULT '';
ALTER TABLE tapnode_ledger ADD COLUMN unknown_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tapnode_ledger ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tapnode_ledger ADD COLUMN sent_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tapnode_ledger ADD COLUMN delivered_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tapnode_ledger ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0;
UPDATE tapnode_ledger SET
	unknown_at = CASE WHEN state = 20 THEN updated_at ELSE 0 END,
	failed_at = CASE WHEN state = 30 THEN updated_at ELSE 0 END,
	sent_at = CASE WHEN state >= 40 THEN updated_at ELSE 0 END,
	delivered_at = CASE WHEN state >= 50 THEN updated_at ELSE 0 END,
	read_at = CASE WHEN state >= 60 THEN updated_at ELSE 0 END,
	source = COALESCE((SELECT m.source FROM tapnode_menus m
		WHERE m.instance = tapnode_ledger.instance AND m.message_id = tapnode_ledger.message_id), ''),
	correlation = COALESCE((SELECT m.correlation FROM tapnode_menus m
		WHERE m.instance = tapnode_ledger.instance AND m.message_id = tapnode_ledger.message_id), '');

-- How far a message came with each member of a group.
CREATE TABLE tapnode_receipts (
	instance     TEXT     NOT NULL,
	message_id   TEXT     NOT NULL,
	member       TEXT     NOT NULL,
	state        SMALLINT NOT NULL,
	delivered_at BIGINT   NOT NULL,
	read_at      BIGINT   NOT NULL,
	PRIMARY KEY (instance, message_id, member),
	FOREIGN KEY (instance, message_id) REFERENCES tapnode_ledger (instance, message_id) ON DELETE CASCADE
);

-- Who has written to an instance in private, under every address.
CREATE TABLE tapnode_contacts (
	instance TEXT   NOT NULL,
	jid      TEXT   NOT NULL,
	wrote_at BIGINT NOT NULL,
	PRIMARY KEY (instance, jid)
);
CREATE INDEX tapnode_contacts_wrote ON tapnode_contacts (wrote_at);
INSERT INTO tapnode_contacts (instance, jid, wrote_at)
	SELECT instance, jid, max(sent_at) FROM (
		SELECT instance, chat AS jid, sent_at FROM tapnode_messages WHERE NOT from_me
		UNION ALL
		SELECT instance, chat_lid, sent_at FROM tapnode_messages WHERE NOT from_me AND chat NOT LIKE '%@g.us'
	) AS written
	WHERE jid <> '' AND jid NOT LIKE '%@g.us' GROUP BY instance, jid;

-- Until when an instance writes only to those who wrote first, and why.
CREATE TABLE tapnode_pauses (
	instance TEXT   NOT NULL,
	reason   TEXT   NOT NULL,
	since    BIGINT NOT NULL,
	until    BIGINT NOT NULL,
	PRIMARY KEY (instance, reason)
);
