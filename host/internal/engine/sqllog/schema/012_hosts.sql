-- The hosts that share the database. until is the database's clock: a host that was not heard of
-- by then is gone. session is of one process: another one under the same id ends it.
CREATE TABLE engine_hosts (
	id      TEXT   PRIMARY KEY,
	session TEXT   NOT NULL,
	name    TEXT   NOT NULL,
	address TEXT   NOT NULL, -- where other hosts call it
	version TEXT   NOT NULL,
	nodes   TEXT   NOT NULL, -- names of the nodes that are ready there, JSON
	steady  TEXT   NOT NULL, -- of them, those that have been told all that is theirs, JSON
	leaving BIGINT NOT NULL, -- 1: it takes nothing more
	started BIGINT NOT NULL,
	until   BIGINT NOT NULL
);

-- Which host acts for what a node looks after; the empty subject is the node's events. epoch
-- goes up with each new owner.
CREATE TABLE engine_owners (
	node    TEXT   NOT NULL,
	subject TEXT   NOT NULL,
	host    TEXT   NOT NULL,
	epoch   BIGINT NOT NULL,
	since   BIGINT NOT NULL,
	PRIMARY KEY (node, subject)
);

-- What the hosts of a database share and nobody else may know, in hexadecimal.
CREATE TABLE engine_secrets (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
