-- A key belongs to an instance: it is stored behind the instance's name, which holds no
-- slash.
UPDATE tapnode_ledger SET idem_key = instance || '/' || idem_key;
-- For the question whether anybody wants an event, which every change of a send asks.
CREATE INDEX tapnode_subscribers_types ON tapnode_subscribers (types, instances);
