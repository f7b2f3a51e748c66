-- A key belongs to an instance: it is stored behind the instance's name, which holds no
-- slash.
UPDATE tapnode_ledger SET idem_key = instance || '/' || idem_key;
