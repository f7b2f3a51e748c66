-- How many versions of flows that are in use do not fit the nodes of a host. It leaves what it cannot do to others.
ALTER TABLE engine_hosts ADD COLUMN unfit BIGINT NOT NULL DEFAULT 0;
