-- The books. Every rule that money depends on is here, so that no program can break it:
-- whoever writes goes through these constraints and triggers, and a write that breaks one is
-- refused whole. What is only counted (claims, balances, the outbox) is counted by triggers, in
-- the statement that caused it, so that it agrees by construction.
--
-- Amounts are minor units. SQLite turns an integer that overflows into a REAL, which a STRICT
-- table does not take: an overflow is a refused write, never a wrong balance.
-- Times are milliseconds since the Unix epoch, from the host's clock.

CREATE TABLE packets (
    tenant         TEXT    NOT NULL,
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    key            TEXT    NOT NULL,
    room           TEXT    NOT NULL,
    sender         TEXT    NOT NULL,
    strategy       TEXT    NOT NULL,
    total          INTEGER NOT NULL,
    shares         INTEGER NOT NULL CHECK (shares >= 1),
    audience       TEXT    NOT NULL CHECK (audience IN ('everyone', 'everyone-but', 'only')),
    audience_users TEXT    NOT NULL CHECK (json_valid(audience_users)),
    greeting       TEXT    NOT NULL,
    expires_in_ms  INTEGER NOT NULL CHECK (expires_in_ms >= 0),
    sent_at_ms     INTEGER NOT NULL,
    expires_at_ms  INTEGER NOT NULL,
    version        INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    status         TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'finished', 'expired')),
    claimed_amount INTEGER NOT NULL DEFAULT 0 CHECK (claimed_amount >= 0),
    claimed_shares INTEGER NOT NULL DEFAULT 0 CHECK (claimed_shares BETWEEN 0 AND shares),
    refunded       INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    ended_at_ms    INTEGER,

    PRIMARY KEY (tenant, id),
    CONSTRAINT a_key_names_one_packet UNIQUE (tenant, sender, key),
    CONSTRAINT a_packet_has_1_for_each_share CHECK (total >= shares),
    CONSTRAINT no_more_is_given_than_was_sent CHECK (claimed_amount + refunded <= total),
    CONSTRAINT at_least_1_stays_for_each_share_left
        CHECK (status <> 'open' OR total - claimed_amount >= shares - claimed_shares),
    CONSTRAINT finished_means_every_share_is_claimed
        CHECK ((status = 'finished') = (claimed_shares = shares)),
    CONSTRAINT the_last_share_takes_what_is_left
        CHECK (status <> 'finished' OR claimed_amount = total),
    CONSTRAINT expired_means_the_rest_is_refunded
        CHECK (status <> 'expired' OR claimed_amount + refunded = total),
    CONSTRAINT only_an_expired_packet_is_refunded CHECK (refunded = 0 OR status = 'expired'),
    CONSTRAINT what_is_over_has_ended CHECK ((status = 'open') = (ended_at_ms IS NULL))
) STRICT, WITHOUT ROWID;

-- What the sweep of expired packets and the reconciler read. Packets that are over leave them.
CREATE INDEX packets_due ON packets (tenant, expires_at_ms, id) WHERE status = 'open';
CREATE INDEX packets_open ON packets (tenant, id) WHERE status = 'open';

CREATE TABLE claims (
    tenant        TEXT    NOT NULL,
    packet        BLOB    NOT NULL,
    user          TEXT    NOT NULL,
    sequence      INTEGER NOT NULL CHECK (sequence >= 1),
    amount        INTEGER NOT NULL CHECK (amount >= 1),
    priority      INTEGER NOT NULL CHECK (priority IN (0, 1)),
    claimed_at_ms INTEGER NOT NULL,

    CONSTRAINT a_user_claims_once PRIMARY KEY (tenant, packet, user),
    CONSTRAINT claims_are_numbered UNIQUE (tenant, packet, sequence),
    FOREIGN KEY (tenant, packet) REFERENCES packets (tenant, id)
) STRICT, WITHOUT ROWID;

-- Claims that are not settled yet, in the order of claiming. Priority 1 is large, 0 is normal. A
-- parked row could not be credited; it waits for somebody to look at it. To give a row the time of
-- its settlement is to settle it: triggers post it and take it away. There is no index by packet,
-- since it would be written at every claim, and a claim cannot be settled twice anyhow.
CREATE TABLE outbox (
    sequence      INTEGER PRIMARY KEY,
    tenant        TEXT    NOT NULL,
    packet        BLOB    NOT NULL,
    user          TEXT    NOT NULL,
    amount        INTEGER NOT NULL CHECK (amount >= 1),
    priority      INTEGER NOT NULL CHECK (priority IN (0, 1)),
    parked        INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
    settled_at_ms INTEGER,

    FOREIGN KEY (tenant, packet, user) REFERENCES claims (tenant, packet, user)
) STRICT;

CREATE INDEX outbox_order ON outbox (priority DESC, sequence) WHERE parked = 0;

-- Double entry, a row for both postings, so that they cannot fail to sum to zero. The kind says
-- between which accounts: fund, treasury to the user's wallet; send, the user's wallet to the
-- packet's escrow; settle and refund, the packet's escrow to the user's wallet.
CREATE TABLE movements (
    id     INTEGER PRIMARY KEY,
    tenant TEXT    NOT NULL,
    kind   TEXT    NOT NULL CHECK (kind IN ('fund', 'send', 'settle', 'refund')),
    packet BLOB,
    user   TEXT    NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 1),
    at_ms  INTEGER NOT NULL,

    CONSTRAINT only_a_funding_has_no_packet CHECK ((kind = 'fund') = (packet IS NULL)),
    FOREIGN KEY (tenant, packet) REFERENCES packets (tenant, id)
) STRICT;

CREATE UNIQUE INDEX a_packet_is_sent_once ON movements (tenant, packet) WHERE kind = 'send';
CREATE UNIQUE INDEX a_packet_is_refunded_once ON movements (tenant, packet) WHERE kind = 'refund';
CREATE UNIQUE INDEX a_claim_is_settled_once ON movements (tenant, packet, user) WHERE kind = 'settle';

-- Balances. The treasury has none: what it owes is the sum of all funding, which may pass what a
-- column holds, and a row that every funding writes would be the busiest of all.
CREATE TABLE wallets (
    tenant  TEXT    NOT NULL,
    user    TEXT    NOT NULL,
    balance INTEGER NOT NULL,
    PRIMARY KEY (tenant, user),
    CONSTRAINT no_wallet_is_below_zero CHECK (balance >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE escrows (
    tenant  TEXT    NOT NULL,
    packet  BLOB    NOT NULL,
    balance INTEGER NOT NULL,
    PRIMARY KEY (tenant, packet),
    CONSTRAINT no_escrow_is_below_zero CHECK (balance >= 0),
    FOREIGN KEY (tenant, packet) REFERENCES packets (tenant, id)
) STRICT, WITHOUT ROWID;

-- Both postings of every movement. The account is the user's wallet or the packet's escrow; the
-- treasury has neither a user nor a packet.
CREATE VIEW postings (movement, tenant, account, user, packet, amount, at_ms) AS
SELECT id, tenant,
       CASE kind WHEN 'fund' THEN 'treasury' WHEN 'send' THEN 'wallet' ELSE 'escrow' END,
       CASE kind WHEN 'send' THEN user END,
       CASE WHEN kind IN ('settle', 'refund') THEN packet END,
       -amount, at_ms
  FROM movements
UNION ALL
SELECT id, tenant,
       CASE kind WHEN 'send' THEN 'escrow' ELSE 'wallet' END,
       CASE WHEN kind <> 'send' THEN user END,
       CASE kind WHEN 'send' THEN packet END,
       amount, at_ms
  FROM movements;

-- A packet: debited as it is written, moved forward only by its claims and its end.

CREATE TRIGGER a_packet_starts_whole BEFORE INSERT ON packets
WHEN NEW.status <> 'open' OR NEW.claimed_shares <> 0 OR NEW.claimed_amount <> 0 OR NEW.version <> 1
BEGIN
    SELECT RAISE(ABORT, 'a packet starts open and whole');
END;

CREATE TRIGGER a_packet_is_paid_for AFTER INSERT ON packets
BEGIN
    INSERT INTO movements (tenant, kind, packet, user, amount, at_ms)
    VALUES (NEW.tenant, 'send', NEW.id, NEW.sender, NEW.total, NEW.sent_at_ms);
END;

CREATE TRIGGER an_order_never_changes BEFORE UPDATE OF
    tenant, id, key, room, sender, strategy, total, shares, audience, audience_users, greeting,
    expires_in_ms, sent_at_ms, expires_at_ms ON packets
BEGIN
    SELECT RAISE(ABORT, 'what was ordered never changes');
END;

CREATE TRIGGER a_packet_only_moves_on BEFORE UPDATE ON packets
WHEN OLD.status <> 'open' OR NEW.version < OLD.version
BEGIN
    SELECT CASE WHEN OLD.status <> 'open' THEN RAISE(ABORT, 'a packet that is over never changes')
                ELSE RAISE(ABORT, 'a version only rises') END;
END;

CREATE TRIGGER a_packet_counts_its_claims BEFORE UPDATE OF claimed_amount, claimed_shares ON packets
WHEN NEW.claimed_shares <> OLD.claimed_shares + 1 OR NOT EXISTS (
    SELECT 1 FROM claims
     WHERE tenant = NEW.tenant AND packet = NEW.id AND sequence = NEW.claimed_shares
       AND amount = NEW.claimed_amount - OLD.claimed_amount)
BEGIN
    SELECT RAISE(ABORT, 'what a packet gave is the sum of its claims');
END;

CREATE TRIGGER the_rest_goes_back AFTER UPDATE OF status ON packets
WHEN NEW.status = 'expired'
BEGIN
    INSERT INTO movements (tenant, kind, packet, user, amount, at_ms)
    VALUES (NEW.tenant, 'refund', NEW.id, NEW.sender, NEW.refunded, NEW.ended_at_ms);
END;

CREATE TRIGGER packets_are_kept BEFORE DELETE ON packets
BEGIN
    SELECT RAISE(ABORT, 'packets are kept');
END;

-- A claim: counted and queued for settlement as it is written.

CREATE TRIGGER a_claim_is_in_order BEFORE INSERT ON claims
BEGIN
    SELECT CASE
        WHEN status <> 'open' THEN RAISE(ABORT, 'a packet that is over takes no claims')
        WHEN NEW.sequence <> claimed_shares + 1 THEN RAISE(ABORT, 'claims are numbered in their order')
        WHEN audience <> 'everyone' AND (audience = 'only') <> EXISTS (
            SELECT 1 FROM json_each(audience_users) WHERE value = NEW.user)
        THEN RAISE(ABORT, 'the packet is not meant for this user')
    END FROM packets WHERE tenant = NEW.tenant AND id = NEW.packet;
END;

-- Two statements, since one that names the status would write both indexes of open packets anew
-- at every claim.
CREATE TRIGGER a_claim_is_counted AFTER INSERT ON claims
BEGIN
    UPDATE packets
       SET claimed_amount = claimed_amount + NEW.amount, claimed_shares = NEW.sequence
     WHERE tenant = NEW.tenant AND id = NEW.packet AND shares > NEW.sequence;
    UPDATE packets
       SET claimed_amount = claimed_amount + NEW.amount, claimed_shares = NEW.sequence,
           status = 'finished', ended_at_ms = NEW.claimed_at_ms
     WHERE tenant = NEW.tenant AND id = NEW.packet AND shares = NEW.sequence;
    INSERT INTO outbox (tenant, packet, user, amount, priority)
    VALUES (NEW.tenant, NEW.packet, NEW.user, NEW.amount, NEW.priority);
END;

CREATE TRIGGER claims_never_change BEFORE UPDATE ON claims
BEGIN
    SELECT RAISE(ABORT, 'a claim never changes');
END;

CREATE TRIGGER claims_are_kept BEFORE DELETE ON claims
BEGIN
    SELECT RAISE(ABORT, 'claims are kept');
END;

-- The outbox: filled by claims, emptied by settlement.

CREATE TRIGGER the_outbox_never_changes BEFORE UPDATE OF sequence, tenant, packet, user, amount, priority
ON outbox
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

-- A movement: what its packet or claim says, and posted to both accounts as it is written.

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

CREATE TRIGGER a_send_is_posted AFTER INSERT ON movements
WHEN NEW.kind = 'send'
BEGIN
    UPDATE wallets SET balance = balance - NEW.amount WHERE tenant = NEW.tenant AND user = NEW.user;
    INSERT INTO escrows (tenant, packet, balance) VALUES (NEW.tenant, NEW.packet, NEW.amount);
END;

CREATE TRIGGER money_leaves_escrow AFTER INSERT ON movements
WHEN NEW.kind IN ('settle', 'refund')
BEGIN
    UPDATE escrows SET balance = balance - NEW.amount WHERE tenant = NEW.tenant AND packet = NEW.packet;
END;

CREATE TRIGGER money_reaches_a_wallet AFTER INSERT ON movements
WHEN NEW.kind <> 'send'
BEGIN
    INSERT INTO wallets (tenant, user, balance) VALUES (NEW.tenant, NEW.user, NEW.amount)
    ON CONFLICT (tenant, user) DO UPDATE SET balance = balance + excluded.balance;
END;

CREATE TRIGGER movements_never_change BEFORE UPDATE ON movements
BEGIN
    SELECT RAISE(ABORT, 'a movement never changes');
END;

CREATE TRIGGER movements_are_kept BEFORE DELETE ON movements
BEGIN
    SELECT RAISE(ABORT, 'movements are kept');
END;

CREATE TRIGGER wallets_are_kept BEFORE DELETE ON wallets
BEGIN
    SELECT RAISE(ABORT, 'wallets are kept');
END;

CREATE TRIGGER escrows_are_kept BEFORE DELETE ON escrows
BEGIN
    SELECT RAISE(ABORT, 'escrows are kept');
END;
