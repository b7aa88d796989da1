-- Events of money: movements and claims in the order of their transactions. Nothing is written beside them.
--
-- Each row has a `place`: the number of the transaction that wrote it, plus a shift. A reader looks at places below
-- those of every transaction that is still under way; so what it has seen is all that will ever be there, and whatever
-- is committed later has a higher place. Rows from before have the place 0, and are not told.

-- In this order: a settlement that is under way holds movements and may want claims, and nobody does the reverse.
LOCK TABLE movements, claims IN ACCESS EXCLUSIVE MODE;

-- What is added to the numbers of transactions. One row. Where books were restored from a dump, the numbers of the
-- server's transactions may be lower than the places that are in use, and `start_places` raises the shift. That they
-- were restored shows in the row itself: `raised_in` is no longer the number of the transaction that wrote it.
CREATE TABLE place_shift (
    the_only  boolean PRIMARY KEY CHECK (the_only),
    shift     bigint  NOT NULL CHECK (shift >= 0),
    raised_in bigint  NOT NULL
);
INSERT INTO place_shift VALUES (true, 0, pg_current_xact_id()::text::bigint);

-- The place of whatever this transaction writes. An error where the books were restored and nobody has raised the
-- shift, and in a transaction that began to write before that was done: its number may be too low.
CREATE FUNCTION own_place() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    number constant bigint := pg_current_xact_id()::text::bigint;
    place bigint;
BEGIN
    SELECT number + shift INTO place FROM hongbao.place_shift
     WHERE the_only AND xmin::text::bigint = raised_in & 4294967295 AND raised_in <= number;
    IF place IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
            MESSAGE = 'the books were restored from a dump: `hongbao migrate` goes on with the places of events';
    END IF;
    RETURN place;
END $$;

-- Makes sure that places go on above all that are in use; gives whether anything had to be done.
CREATE FUNCTION start_places(OUT started boolean) LANGUAGE plpgsql AS $$
DECLARE
    number constant bigint := pg_current_xact_id()::text::bigint;
    used bigint;
BEGIN
    PERFORM FROM hongbao.place_shift WHERE the_only FOR UPDATE;
    SELECT greatest((SELECT coalesce(max(place), 0) FROM hongbao.movements),
                    (SELECT coalesce(max(place), 0) FROM hongbao.claims)) INTO used;
    UPDATE hongbao.place_shift SET shift = greatest(shift, used + 1 - number), raised_in = number
     WHERE the_only AND (xmin::text::bigint <> raised_in & 4294967295 OR used >= number + shift);
    started := FOUND;
END $$;

CREATE TRIGGER the_shift_only_rises BEFORE UPDATE ON place_shift FOR EACH ROW
WHEN (NEW.shift < OLD.shift OR NEW.raised_in <> pg_current_xact_id()::text::bigint)
EXECUTE FUNCTION refuse('the shift of places only rises');
CREATE TRIGGER the_shift_is_kept BEFORE DELETE OR TRUNCATE ON place_shift
FOR EACH STATEMENT EXECUTE FUNCTION refuse('the shift of places is kept');

-- The rows that are there keep 0. Whoever writes many rows at once says the place, and the default is for the others.
ALTER TABLE movements ADD COLUMN place bigint NOT NULL DEFAULT 0;
ALTER TABLE movements ALTER COLUMN place SET DEFAULT own_place();
ALTER TABLE claims ADD COLUMN place bigint NOT NULL DEFAULT 0;
ALTER TABLE claims ALTER COLUMN place SET DEFAULT own_place();

-- By a number that is made of the tenant's name: it is short whatever the name, and nothing but the events of a tenant
-- is looked up by it, so no other statement has the choice of these indexes, and these lists have no other. Rows of one
-- transaction share an entry, so duplicates are taken together, unlike in the indexes of other lists, which have none.
CREATE INDEX movements_told ON movements (hashtextextended(tenant, 0), place) WHERE place > 0;
-- A claim writes it.
CREATE INDEX claims_told ON claims (hashtextextended(tenant, 0), place) WHERE place > 0;

CREATE FUNCTION check_places() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    own constant bigint := hongbao.own_place();
BEGIN
    IF EXISTS (SELECT FROM placed WHERE place <> own) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'an event has the place of the transaction that wrote it';
    END IF;
    RETURN NULL;
END $$;

-- On the partitions as well, since a statement that names one fires its triggers alone.
DO $$
DECLARE
    parent text;
    told text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['movements', 'claims'] LOOP
        FOREACH told IN ARRAY parent || ARRAY(SELECT parent || '_' || part FROM generate_series(0, 7) part) LOOP
            EXECUTE format($trigger$CREATE TRIGGER %s AFTER INSERT ON %I REFERENCING NEW TABLE AS placed
                FOR EACH STATEMENT EXECUTE FUNCTION check_places()$trigger$, parent || '_have_their_places', told);
        END LOOP;
    END LOOP;
END $$;
