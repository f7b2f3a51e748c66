-- What happened in an hour (since 1970, UTC), counted with the changes of runs that it was. key is a port, a
-- bound in seconds, an operation and a code, or the number of a version: see engine.Count.
CREATE TABLE engine_counts (
	hour     BIGINT NOT NULL,
	flow     TEXT   NOT NULL,
	node     TEXT   NOT NULL,
	kind     TEXT   NOT NULL,
	key      TEXT   NOT NULL,
	instance TEXT   NOT NULL,
	n        BIGINT NOT NULL,
	PRIMARY KEY (hour, flow, node, kind, key, instance)
) -- sqlite: WITHOUT ROWID
;
