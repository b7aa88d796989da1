-- What API keys are sealed with, so that texts which were never made here cost no look into `api_keys`. It opens
-- nothing by itself. Another one would make every key worthless, so the one row stays as it is.
CREATE TABLE seal (
    the_only boolean PRIMARY KEY CHECK (the_only),
    secret   bytea   NOT NULL CHECK (length(secret) = 32)
);

CREATE TRIGGER the_seal_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON seal
FOR EACH STATEMENT EXECUTE FUNCTION refuse('the seal never changes');
