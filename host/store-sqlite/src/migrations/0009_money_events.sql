-- Events of money: movements and claims in the order in which they were written. Nothing is written beside them: each
-- row has a place, which a trigger gives it. Rows from before have the place 0, and are not told.

CREATE TABLE places (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL CHECK (last >= 0)
) STRICT;
INSERT INTO places VALUES (1, 0);

CREATE TRIGGER places_are_given_one_by_one BEFORE UPDATE ON places WHEN NEW.last <> OLD.last + 1
BEGIN
    SELECT RAISE(ABORT, 'places are given one by one');
END;

CREATE TRIGGER places_are_kept BEFORE DELETE ON places
BEGIN
    SELECT RAISE(ABORT, 'the last place is kept');
END;

DROP TRIGGER movements_never_change;
ALTER TABLE movements ADD COLUMN place INTEGER;
UPDATE movements SET place = 0;

CREATE TRIGGER movements_never_change
BEFORE UPDATE OF id, tenant, kind, packet, withdrawal, user, amount, at_ms ON movements
BEGIN
    SELECT RAISE(ABORT, 'a movement never changes');
END;

CREATE TRIGGER a_movement_begins_without_a_place BEFORE INSERT ON movements WHEN NEW.place IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an event gets its place as it is written');
END;

CREATE TRIGGER a_movement_gets_its_place AFTER INSERT ON movements
BEGIN
    UPDATE places SET last = last + 1;
    UPDATE movements SET place = (SELECT last FROM places) WHERE id = NEW.id;
END;

CREATE TRIGGER a_movement_keeps_its_place BEFORE UPDATE OF place ON movements
WHEN OLD.place IS NOT NULL OR NEW.place IS NOT (SELECT last FROM places)
BEGIN
    SELECT RAISE(ABORT, 'an event gets its place as it is written');
END;

DROP TRIGGER claims_never_change;
ALTER TABLE claims ADD COLUMN place INTEGER;
UPDATE claims SET place = 0;

CREATE TRIGGER claims_never_change
BEFORE UPDATE OF tenant, packet, user, sequence, amount, priority, claimed_at_ms ON claims
BEGIN
    SELECT RAISE(ABORT, 'a claim never changes');
END;

CREATE TRIGGER a_claim_begins_without_a_place BEFORE INSERT ON claims WHEN NEW.place IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an event gets its place as it is written');
END;

CREATE TRIGGER a_claim_gets_its_place AFTER INSERT ON claims
BEGIN
    UPDATE places SET last = last + 1;
    UPDATE claims SET place = (SELECT last FROM places)
     WHERE tenant = NEW.tenant AND packet = NEW.packet AND user = NEW.user;
END;

CREATE TRIGGER a_claim_keeps_its_place BEFORE UPDATE OF place ON claims
WHEN OLD.place IS NOT NULL OR NEW.place IS NOT (SELECT last FROM places)
BEGIN
    SELECT RAISE(ABORT, 'an event gets its place as it is written');
END;

-- The condition is said by the events alone, so nothing else has the choice of going by places.
CREATE INDEX movements_told ON movements (tenant, place) WHERE place > 0;
-- A claim writes it.
CREATE INDEX claims_told ON claims (tenant, place) WHERE place > 0;
