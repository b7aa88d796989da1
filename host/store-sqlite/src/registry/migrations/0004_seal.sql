-- What API keys are sealed with, so that texts which were never made here cost no look into `api_keys`. It opens
-- nothing by itself. Another one would make every key worthless, so the one row stays as it is.
CREATE TABLE seal (
    the_only INTEGER PRIMARY KEY CHECK (the_only = 1),
    secret   BLOB    NOT NULL CHECK (length(secret) = 32)
) STRICT;

CREATE TRIGGER the_seal_never_changes BEFORE UPDATE ON seal
BEGIN
    SELECT RAISE(ABORT, 'the seal never changes');
END;

CREATE TRIGGER the_seal_is_kept BEFORE DELETE ON seal
BEGIN
    SELECT RAISE(ABORT, 'the seal never changes');
END;
