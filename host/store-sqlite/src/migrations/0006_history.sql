-- Which history of the books the file is in: see `store/history.rs`. One row. A service gives it another name when it
-- starts, so a copy that is put back never has the name that the file had last.
CREATE TABLE history (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL CHECK (length(name) = 16)
) STRICT;
INSERT INTO history VALUES (1, lower(hex(randomblob(8))));
CREATE TRIGGER history_is_kept BEFORE DELETE ON history
BEGIN
    SELECT RAISE(ABORT, 'the name of the history is kept');
END;
