-- Where hosts write to find out whether the database takes writes, those that need new space included:
-- see `probe.rs`. A row fills more than half of a page, so each needs a page of its own. Nothing in it is
-- kept: it is emptied after every 256 rows.
CREATE TABLE health (
    number bigint GENERATED ALWAYS AS IDENTITY,
    filler bytea NOT NULL
);
ALTER TABLE health ALTER COLUMN filler SET STORAGE PLAIN;
