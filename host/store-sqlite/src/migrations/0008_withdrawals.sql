-- Money that leaves, in two phases: `withdraw` takes it out of the wallet into holding at once; later `complete` hands
-- it to the treasury, or `cancel` puts it back. Each withdrawal ends once. Holding has no table of balances: what it
-- holds is the sum of the withdrawals that are held.
--
-- A movement is now of a packet, of a withdrawal or of neither. A CHECK cannot be altered, so movements are made anew,
-- with the ids that they have, since cursors of statements are made of them. Whatever names the table is dropped before:
-- a renaming would write the other name into it.

DROP VIEW postings;
DROP TRIGGER a_packet_is_paid_for;
DROP TRIGGER the_rest_goes_back;
DROP TRIGGER a_claim_is_settled;
DROP TRIGGER the_outbox_is_emptied_by_settlement;
DROP TRIGGER a_funding_is_posted;
DROP TRIGGER a_send_is_covered;
DROP TRIGGER a_settlement_is_a_claim;
DROP TRIGGER a_refund_is_the_rest;
DROP TRIGGER a_send_is_posted;
DROP TRIGGER money_leaves_escrow;
DROP TRIGGER money_reaches_a_wallet;
DROP TRIGGER movements_never_change;
DROP TRIGGER movements_are_kept;
DROP INDEX a_packet_is_sent_once;
DROP INDEX a_packet_is_refunded_once;
DROP INDEX a_claim_is_settled_once;
DROP INDEX movements_of_a_wallet;
ALTER TABLE movements RENAME TO former_movements;

-- A key names one withdrawal of its tenant, as it does a funding. To write a row is to take the money out of the
-- wallet, and to give it another state is to end it: triggers post both, so that there is no withdrawal without its
-- movements, and no such movement without its withdrawal.
CREATE TABLE withdrawals (
    tenant          TEXT    NOT NULL,
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    user            TEXT    NOT NULL,
    key             TEXT    NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount >= 1),
    reference       TEXT    NOT NULL,
    state           TEXT    NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'completed', 'cancelled')),
    requested_at_ms INTEGER NOT NULL,
    ended_at_ms     INTEGER,

    PRIMARY KEY (tenant, id),
    CONSTRAINT a_key_names_one_withdrawal UNIQUE (tenant, key),
    CONSTRAINT what_is_held_has_not_ended CHECK ((state = 'held') = (ended_at_ms IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX withdrawals_of_a_user ON withdrawals (tenant, user, id);
-- Those that ended leave it.
CREATE INDEX withdrawals_held ON withdrawals (tenant, id) WHERE state = 'held';

-- As before, a row for both postings. Besides: withdraw, the user's wallet to the withdrawal's holding; complete, that
-- to the treasury; cancel, that to the user's wallet.
CREATE TABLE movements (
    id         INTEGER PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    kind       TEXT    NOT NULL
               CHECK (kind IN ('fund', 'send', 'settle', 'refund', 'withdraw', 'complete', 'cancel')),
    packet     BLOB,
    withdrawal BLOB,
    user       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount >= 1),
    at_ms      INTEGER NOT NULL,

    CONSTRAINT a_movement_of_a_packet_has_one
        CHECK ((kind IN ('send', 'settle', 'refund')) = (packet IS NOT NULL)),
    CONSTRAINT a_movement_of_a_withdrawal_has_one
        CHECK ((kind IN ('withdraw', 'complete', 'cancel')) = (withdrawal IS NOT NULL)),
    FOREIGN KEY (tenant, packet) REFERENCES packets (tenant, id),
    FOREIGN KEY (tenant, withdrawal) REFERENCES withdrawals (tenant, id)
) STRICT;

INSERT INTO movements (id, tenant, kind, packet, user, amount, at_ms)
SELECT id, tenant, kind, packet, user, amount, at_ms FROM former_movements ORDER BY id;
DROP TABLE former_movements;

CREATE UNIQUE INDEX a_packet_is_sent_once ON movements (tenant, packet) WHERE kind = 'send';
CREATE UNIQUE INDEX a_packet_is_refunded_once ON movements (tenant, packet) WHERE kind = 'refund';
CREATE UNIQUE INDEX a_claim_is_settled_once ON movements (tenant, packet, user) WHERE kind = 'settle';
CREATE UNIQUE INDEX a_withdrawal_is_taken_once ON movements (tenant, withdrawal) WHERE kind = 'withdraw';
CREATE UNIQUE INDEX a_withdrawal_is_ended_once ON movements (tenant, withdrawal)
    WHERE kind IN ('complete', 'cancel');
CREATE INDEX movements_of_a_wallet ON movements (tenant, user) WHERE amount > 0;

-- Both postings of every movement. The account is the user's wallet, the packet's escrow or the withdrawal's holding;
-- the treasury has none of them.
CREATE VIEW postings (movement, tenant, account, user, packet, withdrawal, amount, at_ms) AS
SELECT id, tenant,
       CASE WHEN kind = 'fund' THEN 'treasury' WHEN kind IN ('send', 'withdraw') THEN 'wallet'
            WHEN kind IN ('settle', 'refund') THEN 'escrow' ELSE 'holding' END,
       CASE WHEN kind IN ('send', 'withdraw') THEN user END,
       CASE WHEN kind IN ('settle', 'refund') THEN packet END,
       CASE WHEN kind IN ('complete', 'cancel') THEN withdrawal END,
       -amount, at_ms
  FROM movements
UNION ALL
SELECT id, tenant,
       CASE kind WHEN 'send' THEN 'escrow' WHEN 'withdraw' THEN 'holding' WHEN 'complete' THEN 'treasury'
            ELSE 'wallet' END,
       CASE WHEN kind IN ('fund', 'settle', 'refund', 'cancel') THEN user END,
       CASE kind WHEN 'send' THEN packet END,
       CASE kind WHEN 'withdraw' THEN withdrawal END,
       amount, at_ms
  FROM movements;

-- As before.

CREATE TRIGGER a_packet_is_paid_for AFTER INSERT ON packets
BEGIN
    INSERT INTO movements (tenant, kind, packet, user, amount, at_ms)
    VALUES (NEW.tenant, 'send', NEW.id, NEW.sender, NEW.total, NEW.sent_at_ms);
END;

CREATE TRIGGER the_rest_goes_back AFTER UPDATE OF status ON packets
WHEN NEW.status = 'expired'
BEGIN
    INSERT INTO movements (tenant, kind, packet, user, amount, at_ms)
    VALUES (NEW.tenant, 'refund', NEW.id, NEW.sender, NEW.refunded, NEW.ended_at_ms);
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

CREATE TRIGGER a_funding_is_posted AFTER INSERT ON fundings
BEGIN
    INSERT INTO movements (tenant, kind, user, amount, at_ms)
    VALUES (NEW.tenant, 'fund', NEW.user, NEW.amount, NEW.at_ms);
END;

CREATE TRIGGER a_send_is_covered BEFORE INSERT ON movements
WHEN NEW.kind = 'send'
BEGIN
    SELECT RAISE(ABORT, 'a send is what its packet says')
     WHERE NOT EXISTS (
        SELECT 1 FROM packets
         WHERE tenant = NEW.tenant AND id = NEW.packet AND sender = NEW.user AND total = NEW.amount);
    SELECT RAISE(ABORT, 'the wallet holds too little')
     WHERE NOT EXISTS (
        SELECT 1 FROM wallets
         WHERE tenant = NEW.tenant AND user = NEW.user AND balance >= NEW.amount);
END;

CREATE TRIGGER a_settlement_is_a_claim BEFORE INSERT ON movements
WHEN NEW.kind = 'settle' AND NOT EXISTS (
    SELECT 1 FROM claims
     WHERE tenant = NEW.tenant AND packet = NEW.packet AND user = NEW.user AND amount = NEW.amount)
BEGIN
    SELECT RAISE(ABORT, 'a settlement is what its claim says');
END;

CREATE TRIGGER a_refund_is_the_rest BEFORE INSERT ON movements
WHEN NEW.kind = 'refund' AND NOT EXISTS (
    SELECT 1 FROM packets
     WHERE tenant = NEW.tenant AND id = NEW.packet AND sender = NEW.user
       AND status = 'expired' AND refunded = NEW.amount)
BEGIN
    SELECT RAISE(ABORT, 'a refund is what its packet says');
END;

CREATE TRIGGER movements_never_change BEFORE UPDATE ON movements
BEGIN
    SELECT RAISE(ABORT, 'a movement never changes');
END;

CREATE TRIGGER movements_are_kept BEFORE DELETE ON movements
BEGIN
    SELECT RAISE(ABORT, 'movements are kept');
END;

CREATE TRIGGER money_leaves_escrow AFTER INSERT ON movements
WHEN NEW.kind IN ('settle', 'refund')
BEGIN
    UPDATE escrows SET balance = balance - NEW.amount WHERE tenant = NEW.tenant AND packet = NEW.packet;
END;

-- As before, with the kinds of a withdrawal.

CREATE TRIGGER a_send_is_posted AFTER INSERT ON movements
WHEN NEW.kind = 'send'
BEGIN
    INSERT INTO escrows (tenant, packet, balance) VALUES (NEW.tenant, NEW.packet, NEW.amount);
END;

CREATE TRIGGER money_leaves_a_wallet AFTER INSERT ON movements
WHEN NEW.kind IN ('send', 'withdraw')
BEGIN
    UPDATE wallets SET balance = balance - NEW.amount WHERE tenant = NEW.tenant AND user = NEW.user;
END;

CREATE TRIGGER money_reaches_a_wallet AFTER INSERT ON movements
WHEN NEW.kind IN ('fund', 'settle', 'refund', 'cancel')
BEGIN
    INSERT INTO wallets (tenant, user, balance) VALUES (NEW.tenant, NEW.user, NEW.amount)
    ON CONFLICT (tenant, user) DO UPDATE SET balance = balance + excluded.balance;
END;

-- A withdrawal: debited as it is written, and ended once.

CREATE TRIGGER a_withdrawal_starts_held BEFORE INSERT ON withdrawals
WHEN NEW.state <> 'held'
BEGIN
    SELECT RAISE(ABORT, 'a withdrawal starts as it is held');
END;

CREATE TRIGGER a_withdrawal_is_taken AFTER INSERT ON withdrawals
BEGIN
    INSERT INTO movements (tenant, kind, withdrawal, user, amount, at_ms)
    VALUES (NEW.tenant, 'withdraw', NEW.id, NEW.user, NEW.amount, NEW.requested_at_ms);
END;

CREATE TRIGGER a_withdrawal_never_changes BEFORE UPDATE OF
    tenant, id, user, key, amount, reference, requested_at_ms ON withdrawals
BEGIN
    SELECT RAISE(ABORT, 'what was withdrawn never changes');
END;

CREATE TRIGGER a_withdrawal_ends_once BEFORE UPDATE OF state, ended_at_ms ON withdrawals
WHEN OLD.state <> 'held' OR NEW.state = 'held'
BEGIN
    SELECT RAISE(ABORT, 'a withdrawal ends once');
END;

CREATE TRIGGER the_end_of_a_withdrawal_is_posted AFTER UPDATE OF state ON withdrawals
BEGIN
    INSERT INTO movements (tenant, kind, withdrawal, user, amount, at_ms)
    VALUES (NEW.tenant, CASE NEW.state WHEN 'completed' THEN 'complete' ELSE 'cancel' END,
            NEW.id, NEW.user, NEW.amount, NEW.ended_at_ms);
END;

CREATE TRIGGER withdrawals_are_kept BEFORE DELETE ON withdrawals
BEGIN
    SELECT RAISE(ABORT, 'withdrawals are kept');
END;

-- What stands behind such a movement is there before it, and has posted it already wherever it is not the trigger that
-- posts: so no other movement of these kinds gets past this and the unique indexes.
CREATE TRIGGER a_withdrawal_is_covered BEFORE INSERT ON movements
WHEN NEW.kind IN ('withdraw', 'complete', 'cancel')
BEGIN
    SELECT RAISE(ABORT, 'a movement is what its withdrawal says')
     WHERE NOT EXISTS (
        SELECT 1 FROM withdrawals
         WHERE tenant = NEW.tenant AND id = NEW.withdrawal AND user = NEW.user AND amount = NEW.amount
           AND state = CASE NEW.kind WHEN 'withdraw' THEN 'held' WHEN 'complete' THEN 'completed'
                            ELSE 'cancelled' END);
    SELECT RAISE(ABORT, 'the wallet holds too little')
     WHERE NEW.kind = 'withdraw' AND NOT EXISTS (
        SELECT 1 FROM wallets
         WHERE tenant = NEW.tenant AND user = NEW.user AND balance >= NEW.amount);
END;
