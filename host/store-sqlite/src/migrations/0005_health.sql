-- Where a process writes to find out whether the file takes writes, those that need new pages included:
-- see `probe.rs`. It holds one row.
CREATE TABLE health (
    id     INTEGER PRIMARY KEY,
    filler BLOB NOT NULL
) STRICT;
