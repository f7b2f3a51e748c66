-- What the process that has claimed an instance shows of it to the others on the database.
ALTER TABLE tapnode_instances ADD COLUMN shown TEXT NOT NULL DEFAULT '';
