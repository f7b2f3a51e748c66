-- For readers of one type and every instance: without it each read sorts all events
-- of the type.
CREATE INDEX tapnode_events_type ON tapnode_events (type, seq);
