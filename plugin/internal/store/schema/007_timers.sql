-- How long the messages of a chat live, as far as somebody has said so. A person's chat
-- is here under each name that is known.
CREATE TABLE tapnode_timers (
	instance TEXT   NOT NULL,
	chat     TEXT   NOT NULL, -- phone JID, LID or group JID
	seconds  BIGINT NOT NULL, -- 0: they stay
	set_at   BIGINT NOT NULL, -- the newest word counts
	told     BIGINT NOT NULL, -- when it was set as phones tell each other, in seconds; 0 is "not said"
	seen_at  BIGINT NOT NULL,
	PRIMARY KEY (instance, chat)
);
CREATE INDEX tapnode_timers_by_age ON tapnode_timers (seen_at)
