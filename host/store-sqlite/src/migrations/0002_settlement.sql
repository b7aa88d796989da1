-- Settlement in the order of age, with a head start of a minute for large claims, and later attempts
-- for what cannot be credited now. The outbox is made anew, since a generated column cannot be stored
-- in a table that is there already.

DROP TRIGGER a_claim_is_counted;
DROP TRIGGER the_outbox_never_changes;
DROP TRIGGER a_claim_is_settled;
DROP TRIGGER the_outbox_is_emptied_by_settlement;
DROP INDEX outbox_order;
ALTER TABLE outbox RENAME TO former_outbox;

-- Claims that are not settled yet. Priority 1 is large, 0 is normal. A row that could not be credited
-- is tried again from `retry_at_ms` on; after some attempts it is parked and waits for somebody to
-- look at it. To give a row the time of its settlement is to settle it: triggers post it and take it
-- away. There is no index by packet, since it would be written at every claim, and a claim cannot be
-- settled twice anyhow.
CREATE TABLE outbox (
    sequence      INTEGER PRIMARY KEY,
    tenant        TEXT    NOT NULL,
    packet        BLOB    NOT NULL,
    user          TEXT    NOT NULL,
    amount        INTEGER NOT NULL CHECK (amount >= 1),
    priority      INTEGER NOT NULL CHECK (priority IN (0, 1)),
    claimed_at_ms INTEGER NOT NULL,
    rank_ms       INTEGER NOT NULL GENERATED ALWAYS AS (claimed_at_ms - priority * 60000) STORED,
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    retry_at_ms   INTEGER NOT NULL DEFAULT 0,
    parked        INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
    settled_at_ms INTEGER,

    FOREIGN KEY (tenant, packet, user) REFERENCES claims (tenant, packet, user)
) STRICT;

INSERT INTO outbox (sequence, tenant, packet, user, amount, priority, claimed_at_ms, parked)
SELECT former.sequence, tenant, packet, user, former.amount, former.priority, claims.claimed_at_ms, former.parked
  FROM former_outbox AS former JOIN claims USING (tenant, packet, user);
DROP TABLE former_outbox;

CREATE INDEX outbox_order ON outbox (rank_ms, sequence) WHERE parked = 0;

-- Two updates, since one that names the status would write both indexes of open packets anew at every
-- claim.
CREATE TRIGGER a_claim_is_counted AFTER INSERT ON claims
BEGIN
    UPDATE packets
       SET claimed_amount = claimed_amount + NEW.amount, claimed_shares = NEW.sequence
     WHERE tenant = NEW.tenant AND id = NEW.packet AND shares > NEW.sequence;
    UPDATE packets
       SET claimed_amount = claimed_amount + NEW.amount, claimed_shares = NEW.sequence,
           status = 'finished', ended_at_ms = NEW.claimed_at_ms
     WHERE tenant = NEW.tenant AND id = NEW.packet AND shares = NEW.sequence;
    INSERT INTO outbox (tenant, packet, user, amount, priority, claimed_at_ms)
    VALUES (NEW.tenant, NEW.packet, NEW.user, NEW.amount, NEW.priority, NEW.claimed_at_ms);
END;

CREATE TRIGGER the_outbox_never_changes
BEFORE UPDATE OF sequence, tenant, packet, user, amount, priority, claimed_at_ms ON outbox
BEGIN
    SELECT RAISE(ABORT, 'what waits for settlement never changes');
END;

CREATE TRIGGER a_claim_is_settled AFTER UPDATE OF settled_at_ms ON outbox
BEGIN
    INSERT INTO movements (tenant, kind, packet, user, amount, at_ms)
    VALUES (NEW.tenant, 'settle', NEW.packet, NEW.user, NEW.amount, NEW.settled_at_ms);
    DELETE FROM outbox WHERE sequence = NEW.sequence;
END;

CREATE TRIGGER the_outbox_is_emptied_by_settlement BEFORE DELETE ON outbox
WHEN NOT EXISTS (
    SELECT 1 FROM movements
     WHERE tenant = OLD.tenant AND packet = OLD.packet AND user = OLD.user AND kind = 'settle')
BEGIN
    SELECT RAISE(ABORT, 'a claim leaves the outbox when it is settled');
END;
