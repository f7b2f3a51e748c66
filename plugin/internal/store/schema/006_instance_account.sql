-- Whose menus, messages and contacts are stored under the name. '' is not known yet: the
-- next connection says it, and nothing is removed.
ALTER TABLE tapnode_instances ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE tapnode_instances ADD COLUMN account_lid TEXT NOT NULL DEFAULT '';
