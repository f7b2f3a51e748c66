-- The processes that show something. A beat that stays the same is of one that is gone.
CREATE TABLE tapnode_processes (
    id   TEXT   PRIMARY KEY,
    beat BIGINT NOT NULL
);
CREATE INDEX tapnode_processes_age ON tapnode_processes (beat);
