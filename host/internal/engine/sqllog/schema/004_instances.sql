-- What the host keeps of an instance of a node: the rotation of its token, and where its
-- events go. Nothing of it outlives the instance.
CREATE TABLE engine_instances (
	name       TEXT   NOT NULL PRIMARY KEY,
	rotation   TEXT   NOT NULL,
	created_at BIGINT NOT NULL
);

-- A webhook with its label, or the one websocket with the label ''. settings is JSON.
CREATE TABLE engine_outlets (
	instance   TEXT   NOT NULL REFERENCES engine_instances (name) ON DELETE CASCADE,
	kind       TEXT   NOT NULL,
	label      TEXT   NOT NULL,
	settings   TEXT   NOT NULL,
	PRIMARY KEY (instance, kind, label)
);
