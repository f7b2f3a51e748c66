-- What a menu accepts, and whether it went out as text.
ALTER TABLE tapnode_menus ADD COLUMN policy TEXT NOT NULL DEFAULT 'all';
ALTER TABLE tapnode_menus ADD COLUMN allowed TEXT NOT NULL DEFAULT '[]'; -- JIDs; [] is everybody
ALTER TABLE tapnode_menus ADD COLUMN as_text BOOLEAN NOT NULL DEFAULT FALSE;

-- Who has pressed a menu that takes one press of each person, under every address.
CREATE TABLE tapnode_menu_people (
	instance   TEXT NOT NULL,
	message_id TEXT NOT NULL,
	person     TEXT NOT NULL,
	PRIMARY KEY (instance, message_id, person),
	FOREIGN KEY (instance, message_id) REFERENCES tapnode_menus (instance, message_id) ON DELETE CASCADE
);
