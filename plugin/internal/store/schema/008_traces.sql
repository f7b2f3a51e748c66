-- The trace of a send comes back on each click.
ALTER TABLE tapnode_menus ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE tapnode_events ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
