-- The books. Every rule that money depends on is here, so that no program can break it: whoever
-- writes goes through these constraints and triggers, and a write that breaks one is refused whole.
-- What is only counted (claims, balances, the outbox) is counted by triggers, in the statement that
-- caused it, so that it agrees by construction.
--
-- Claims, settlements and their postings come by the hundred in one statement. So their triggers are
-- statement-level, over a transition table: a rule costs one join for the batch, not a function call
-- for every row. For the same reason there are no foreign keys on these tables: the triggers check
-- more than existence, and check it once.
--
-- A packet's id leads every key and is what tables are partitioned by, so that a packet, its claims,
-- its escrow and what is to be settled of it live together and can be placed on one shard. Wallets
-- go by their owner.
--
-- A plan that was made while a table was small is kept by its session, and then all plans look alike. So
-- there must be no choice: the functions below allow index lookups only, and what they look up by a key
-- can be answered from that key's index alone.
--
-- Whoever locks rows of several packets or wallets locks them in the order of their keys.
--
-- Amounts are minor units; a bigint that overflows is an error of the statement. Times are
-- milliseconds since the Unix epoch, from the host's clock.

-- Functions name their tables with the schema, so that a session's search path cannot mislead them.
-- Text is compared byte by byte ("C"): names have no language, and indexes are faster for it.

CREATE TABLE packets (
    id             uuid     NOT NULL,
    tenant         text     COLLATE "C" NOT NULL,
    key            text     COLLATE "C" NOT NULL,
    room           text     NOT NULL,
    sender         text     COLLATE "C" NOT NULL,
    strategy       text     NOT NULL,
    total          bigint   NOT NULL,
    shares         bigint   NOT NULL CHECK (shares >= 1),
    audience       text     NOT NULL CHECK (audience IN ('everyone', 'everyone-but', 'only')),
    audience_users text[]   COLLATE "C" NOT NULL,
    greeting       text     NOT NULL,
    expires_in_ms  bigint   NOT NULL CHECK (expires_in_ms >= 0),
    sent_at_ms     bigint   NOT NULL,
    expires_at_ms  bigint   NOT NULL,
    version        bigint   NOT NULL DEFAULT 1 CHECK (version >= 1),
    status         text     NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'finished', 'expired')),
    claimed_amount bigint   NOT NULL DEFAULT 0 CHECK (claimed_amount >= 0),
    claimed_shares bigint   NOT NULL DEFAULT 0,
    refunded       bigint   NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    ended_at_ms    bigint,

    PRIMARY KEY (id, tenant),
    CONSTRAINT no_more_claims_than_shares CHECK (claimed_shares BETWEEN 0 AND shares),
    CONSTRAINT a_packet_has_1_for_each_share CHECK (total >= shares),
    CONSTRAINT no_more_is_given_than_was_sent CHECK (claimed_amount + refunded <= total),
    CONSTRAINT at_least_1_stays_for_each_share_left
        CHECK (status <> 'open' OR total - claimed_amount >= shares - claimed_shares),
    CONSTRAINT finished_means_every_share_is_claimed
        CHECK ((status = 'finished') = (claimed_shares = shares)),
    CONSTRAINT the_last_share_takes_what_is_left CHECK (status <> 'finished' OR claimed_amount = total),
    CONSTRAINT expired_means_the_rest_is_refunded
        CHECK (status <> 'expired' OR claimed_amount + refunded = total),
    CONSTRAINT only_an_expired_packet_is_refunded CHECK (refunded = 0 OR status = 'expired'),
    CONSTRAINT what_is_over_has_ended CHECK ((status = 'open') = (ended_at_ms IS NULL))
) PARTITION BY HASH (id);

-- What the sweep of expired packets and the reconciler read. Packets that are over leave them.
CREATE INDEX packets_due ON packets (tenant, expires_at_ms, id) WHERE status = 'open';
CREATE INDEX packets_open ON packets (tenant, id) WHERE status = 'open';

-- A sender's key names one packet. Not an index of packets, since it goes by the sender.
CREATE TABLE orders (
    sender text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    key    text COLLATE "C" NOT NULL,
    packet uuid NOT NULL,
    CONSTRAINT a_key_names_one_packet PRIMARY KEY (sender, tenant, key)
) PARTITION BY HASH (sender);

CREATE TABLE claims (
    packet        uuid     NOT NULL,
    tenant        text     COLLATE "C" NOT NULL,
    user_id       text     COLLATE "C" NOT NULL,
    sequence      bigint   NOT NULL CHECK (sequence >= 1),
    amount        bigint   NOT NULL CHECK (amount >= 1),
    priority      smallint NOT NULL CHECK (priority IN (0, 1)),
    claimed_at_ms bigint   NOT NULL,

    CONSTRAINT a_user_claims_once PRIMARY KEY (packet, tenant, user_id),
    -- The sequence first, so that no lookup of a user's claim is ever answered from it.
    CONSTRAINT claims_are_numbered UNIQUE (sequence, packet, tenant)
) PARTITION BY HASH (packet);

-- Claims that are not settled yet. Priority 1 is large, 0 is normal. A large claim goes before the
-- normal ones that are up to a minute older: so the large go first, and nobody waits for ever. What
-- cannot be credited is tried again later, and after some attempts parked until somebody looks.
CREATE SEQUENCE outbox_sequence;
CREATE TABLE outbox (
    packet        uuid     NOT NULL,
    tenant        text     COLLATE "C" NOT NULL,
    user_id       text     COLLATE "C" NOT NULL,
    amount        bigint   NOT NULL CHECK (amount >= 1),
    priority      smallint NOT NULL CHECK (priority IN (0, 1)),
    claimed_at_ms bigint   NOT NULL,
    rank_ms       bigint   GENERATED ALWAYS AS (claimed_at_ms - priority * 60000) STORED,
    sequence      bigint   NOT NULL DEFAULT nextval('outbox_sequence'),
    attempts      smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    retry_at_ms   bigint   NOT NULL DEFAULT 0,
    parked        boolean  NOT NULL DEFAULT false
) PARTITION BY HASH (packet);

-- No key by packet and user: the claim's key holds already, and every index is written at every claim.
CREATE INDEX outbox_order ON outbox (rank_ms, sequence) WHERE NOT parked;
CREATE INDEX outbox_parked ON outbox (tenant) WHERE parked;

-- Double entry, a row for both postings, so that they cannot fail to sum to zero. The kind says
-- between which accounts: fund, treasury to the user's wallet; send, the user's wallet to the
-- packet's escrow; settle and refund, the packet's escrow to the user's wallet.
CREATE TABLE movements (
    packet  uuid,
    tenant  text   COLLATE "C" NOT NULL,
    kind    text   COLLATE "C" NOT NULL CHECK (kind IN ('fund', 'send', 'settle', 'refund')),
    user_id text   COLLATE "C" NOT NULL,
    amount  bigint NOT NULL CHECK (amount >= 1),
    at_ms   bigint NOT NULL,

    CONSTRAINT only_a_funding_has_no_packet CHECK ((kind = 'fund') = (packet IS NULL)),
    CONSTRAINT money_moves_once UNIQUE (packet, tenant, kind, user_id)
) PARTITION BY HASH (packet);

-- Balances. The treasury has none: what it owes is the sum of all funding, which may pass what a
-- column holds, and a row that every funding writes would be the busiest of all.
CREATE TABLE wallets (
    user_id text   COLLATE "C" NOT NULL,
    tenant  text   COLLATE "C" NOT NULL,
    balance bigint NOT NULL,
    PRIMARY KEY (user_id, tenant),
    CONSTRAINT no_wallet_is_below_zero CHECK (balance >= 0)
) PARTITION BY HASH (user_id);

CREATE TABLE escrows (
    packet  uuid   NOT NULL,
    tenant  text   COLLATE "C" NOT NULL,
    balance bigint NOT NULL,
    PRIMARY KEY (packet, tenant),
    CONSTRAINT no_escrow_is_below_zero CHECK (balance >= 0)
) PARTITION BY HASH (packet);

-- Eight partitions each. Rows that are updated leave room on their page, so that an update stays
-- there and writes no index.
DO $$
DECLARE
    parent text;
    storage text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['packets', 'orders', 'claims', 'outbox', 'movements', 'wallets', 'escrows'] LOOP
        storage := CASE WHEN parent IN ('packets', 'wallets', 'escrows') THEN ' WITH (fillfactor = 60)' ELSE '' END;
        FOR part IN 0..7 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 8, REMAINDER %s)%s',
                           parent || '_' || part, parent, part, storage);
        END LOOP;
    END LOOP;
END $$;

-- Both postings of every movement. The account is the user's wallet or the packet's escrow; the
-- treasury has neither a user nor a packet.
CREATE VIEW postings (tenant, account, user_id, packet, amount, at_ms) AS
SELECT tenant,
       CASE kind WHEN 'fund' THEN 'treasury' WHEN 'send' THEN 'wallet' ELSE 'escrow' END,
       CASE kind WHEN 'send' THEN user_id END,
       CASE WHEN kind IN ('settle', 'refund') THEN packet END,
       -amount, at_ms
  FROM movements
UNION ALL
SELECT tenant,
       CASE kind WHEN 'send' THEN 'escrow' ELSE 'wallet' END,
       CASE WHEN kind <> 'send' THEN user_id END,
       CASE kind WHEN 'send' THEN packet END,
       amount, at_ms
  FROM movements;

-- Refuses what a trigger is attached to; the sentence is the trigger's argument.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_ARGV[0];
END $$;

-- A packet: debited as it is written, moved forward only by its claims and its end.

CREATE TRIGGER a_packet_starts_whole BEFORE INSERT ON packets FOR EACH ROW
WHEN (NEW.status <> 'open' OR NEW.claimed_shares <> 0 OR NEW.claimed_amount <> 0 OR NEW.version <> 1)
EXECUTE FUNCTION refuse('a packet starts open and whole');

CREATE FUNCTION pay_for_packet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.movements (packet, tenant, kind, user_id, amount, at_ms)
    VALUES (NEW.id, NEW.tenant, 'send', NEW.sender, NEW.total, NEW.sent_at_ms);
    RETURN NULL;
END $$;
CREATE TRIGGER a_packet_is_paid_for AFTER INSERT ON packets FOR EACH ROW EXECUTE FUNCTION pay_for_packet();

CREATE TRIGGER an_order_never_changes BEFORE UPDATE OF
    id, tenant, key, room, sender, strategy, total, shares, audience, audience_users, greeting,
    expires_in_ms, sent_at_ms, expires_at_ms ON packets
FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was ordered never changes');

CREATE TRIGGER a_packet_only_moves_on BEFORE UPDATE ON packets FOR EACH ROW
WHEN (OLD.status <> 'open' OR NEW.version <= OLD.version)
EXECUTE FUNCTION refuse('a packet that is over never changes, and a version only rises');

-- Nothing but a trigger, which is the one of claims, counts claims.
CREATE TRIGGER a_packet_counts_its_claims BEFORE UPDATE ON packets FOR EACH ROW
WHEN ((NEW.claimed_shares <> OLD.claimed_shares OR NEW.claimed_amount <> OLD.claimed_amount)
      AND pg_trigger_depth() = 0)
EXECUTE FUNCTION refuse('what a packet gave is the sum of its claims');

CREATE FUNCTION refund_rest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.movements (packet, tenant, kind, user_id, amount, at_ms)
    VALUES (NEW.id, NEW.tenant, 'refund', NEW.sender, NEW.refunded, NEW.ended_at_ms);
    RETURN NULL;
END $$;
CREATE TRIGGER the_rest_goes_back AFTER UPDATE ON packets FOR EACH ROW
WHEN (NEW.status = 'expired') EXECUTE FUNCTION refund_rest();

CREATE TRIGGER packets_are_kept BEFORE DELETE OR TRUNCATE ON packets
FOR EACH STATEMENT EXECUTE FUNCTION refuse('packets are kept');
CREATE TRIGGER orders_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON orders
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a key names its packet for ever');

-- Claims: counted and queued for settlement as they are written. The packet's row is locked by this
-- update at the latest, so what it says of the packet stays true until the commit.

CREATE FUNCTION count_claims() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    given bigint;
    counted bigint;
BEGIN
    WITH batch AS (
        SELECT packet, tenant, count(*) AS shares, sum(amount)::bigint AS amount, min(sequence) AS first,
               max(sequence) AS last, max(claimed_at_ms) AS at_ms, array_agg(user_id) AS users
          FROM written GROUP BY packet, tenant
    ), moved AS (
        UPDATE hongbao.packets
           SET version = version + 1,
               claimed_amount = claimed_amount + batch.amount,
               claimed_shares = batch.last,
               status = CASE batch.last WHEN packets.shares THEN 'finished' ELSE 'open' END,
               ended_at_ms = CASE batch.last WHEN packets.shares THEN batch.at_ms END
          FROM batch
         WHERE packets.id = batch.packet AND packets.tenant = batch.tenant
           -- Said in this way, the status leads to no index of open packets.
           AND CASE packets.status WHEN 'open' THEN
                   batch.first = packets.claimed_shares + 1 AND batch.last = packets.claimed_shares + batch.shares
               ELSE false END
           AND CASE packets.audience
                   WHEN 'everyone' THEN true
                   WHEN 'only' THEN batch.users <@ packets.audience_users
                   ELSE NOT batch.users && packets.audience_users
               END
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM moved) INTO given, counted;
    IF counted <> given THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a claim is on an open packet, numbered in its order, and for whom the packet is meant';
    END IF;
    INSERT INTO hongbao.outbox (packet, tenant, user_id, amount, priority, claimed_at_ms)
    SELECT packet, tenant, user_id, amount, priority, claimed_at_ms FROM written;
    RETURN NULL;
END $$;
CREATE TRIGGER claims_are_counted AFTER INSERT ON claims REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION count_claims();

CREATE TRIGGER claims_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON claims
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a claim never changes');

-- The outbox: filled by claims, emptied by settlement.

CREATE TRIGGER the_outbox_is_filled_by_claims BEFORE INSERT ON outbox FOR EACH STATEMENT
WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse('what waits for settlement is a claim');

CREATE TRIGGER the_outbox_never_changes BEFORE UPDATE OF
    packet, tenant, user_id, amount, priority, claimed_at_ms, sequence ON outbox
FOR EACH STATEMENT EXECUTE FUNCTION refuse('what waits for settlement never changes');

CREATE FUNCTION leave_outbox() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM hongbao.movements
             WHERE movements.packet = gone.packet AND movements.tenant = gone.tenant
               AND movements.kind = 'settle' AND movements.user_id = gone.user_id))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a claim leaves the outbox when it is settled';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER the_outbox_is_emptied_by_settlement AFTER DELETE ON outbox REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION leave_outbox();
CREATE TRIGGER the_outbox_is_kept BEFORE TRUNCATE ON outbox
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a claim leaves the outbox when it is settled');

-- A movement: what its packet or claim says, and posted to both accounts as it is written.

CREATE FUNCTION post_movements() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    missed bigint;
BEGIN
    IF EXISTS (
        SELECT FROM posted WHERE CASE kind
            WHEN 'fund' THEN false
            WHEN 'settle' THEN NOT EXISTS (
                SELECT FROM hongbao.claims
                 WHERE claims.packet = posted.packet AND claims.tenant = posted.tenant
                   AND claims.user_id = posted.user_id AND claims.amount = posted.amount)
            ELSE NOT EXISTS (
                SELECT FROM hongbao.packets
                 WHERE packets.id = posted.packet AND packets.tenant = posted.tenant
                   AND packets.sender = posted.user_id
                   AND posted.amount = CASE kind WHEN 'send' THEN packets.total ELSE packets.refunded END
                   AND (kind = 'send' OR packets.status = 'expired'))
        END)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a movement is what its packet or its claim says';
    END IF;

    INSERT INTO hongbao.escrows (packet, tenant, balance)
    SELECT packet, tenant, amount FROM posted WHERE kind = 'send';
    PERFORM FROM hongbao.escrows
      WHERE (packet, tenant) IN (SELECT packet, tenant FROM posted WHERE kind IN ('settle', 'refund'))
      ORDER BY packet, tenant FOR UPDATE;
    WITH given AS (
        SELECT packet, tenant, sum(amount)::bigint AS amount FROM posted
         WHERE kind IN ('settle', 'refund') GROUP BY packet, tenant
    ), moved AS (
        UPDATE hongbao.escrows SET balance = balance - given.amount FROM given
         WHERE escrows.packet = given.packet AND escrows.tenant = given.tenant RETURNING 1
    )
    SELECT (SELECT count(*) FROM given) - (SELECT count(*) FROM moved) INTO missed;
    IF missed <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'there is no such escrow';
    END IF;

    WITH given AS (
        SELECT user_id, tenant, sum(amount)::bigint AS amount FROM posted
         WHERE kind = 'send' GROUP BY user_id, tenant
    ), moved AS (
        UPDATE hongbao.wallets SET balance = balance - given.amount FROM given
         WHERE wallets.user_id = given.user_id AND wallets.tenant = given.tenant RETURNING 1
    )
    SELECT (SELECT count(*) FROM given) - (SELECT count(*) FROM moved) INTO missed;
    IF missed <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the wallet holds too little';
    END IF;
    INSERT INTO hongbao.wallets (user_id, tenant, balance)
    SELECT user_id, tenant, sum(amount)::bigint FROM posted WHERE kind <> 'send'
     GROUP BY user_id, tenant ORDER BY user_id, tenant
    ON CONFLICT (user_id, tenant) DO UPDATE SET balance = wallets.balance + excluded.balance;
    RETURN NULL;
END $$;
CREATE TRIGGER movements_are_posted AFTER INSERT ON movements REFERENCING NEW TABLE AS posted
FOR EACH STATEMENT EXECUTE FUNCTION post_movements();

CREATE TRIGGER movements_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON movements
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a movement never changes');

-- Balances are moved by movements alone.
CREATE TRIGGER wallets_are_posted BEFORE INSERT OR UPDATE ON wallets FOR EACH STATEMENT
WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse('a balance is the sum of its postings');
CREATE TRIGGER wallets_are_kept BEFORE DELETE OR TRUNCATE ON wallets
FOR EACH STATEMENT EXECUTE FUNCTION refuse('wallets are kept');
CREATE TRIGGER escrows_are_posted BEFORE INSERT OR UPDATE ON escrows FOR EACH STATEMENT
WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse('a balance is the sum of its postings');
CREATE TRIGGER escrows_are_kept BEFORE DELETE OR TRUNCATE ON escrows
FOR EACH STATEMENT EXECUTE FUNCTION refuse('escrows are kept');

-- Writes a packet and debits its sender, in one statement. Out: what came of it ('key' where the
-- sender's key names a packet already, 'funds' where the wallet holds too little), that packet, and
-- what the wallet holds. The wallet's row is locked first, so what one sender does comes one by one
-- and the key is looked at after whoever used it before has committed.
CREATE FUNCTION record_packet(
    new_id uuid, of text, order_key text, room text, payer text, strategy text, amount bigint, shares bigint,
    audience text, audience_users text[], greeting text, expires_in_ms bigint, now_ms bigint,
    OUT outcome text, OUT packet uuid, OUT held bigint
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payer AND tenant = of FOR UPDATE;
    SELECT orders.packet INTO packet FROM hongbao.orders
     WHERE orders.sender = payer AND orders.tenant = of AND orders.key = order_key;
    held := coalesce(held, 0);
    IF packet IS NOT NULL THEN
        outcome := 'key';
    ELSIF held < amount THEN
        outcome := 'funds';
    ELSE
        outcome := 'recorded';
        packet := new_id;
        INSERT INTO hongbao.orders VALUES (payer, of, order_key, new_id);
        INSERT INTO hongbao.packets (id, tenant, key, room, sender, strategy, total, shares, audience,
            audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
        VALUES (new_id, of, order_key, room, payer, strategy, amount, shares, audience, audience_users,
            greeting, expires_in_ms, now_ms, now_ms + expires_in_ms);
    END IF;
END $$;

-- Credits a wallet from outside; gives what it holds then.
CREATE FUNCTION fund_wallet(of text, payee text, amount bigint, now_ms bigint, OUT held bigint)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.movements (tenant, kind, user_id, amount, at_ms) VALUES (of, 'fund', payee, amount, now_ms);
    SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payee AND tenant = of;
END $$;

-- A statement that names a partition fires the triggers of that partition alone. So each has the
-- statement-level triggers of its parent; those for each row it has already.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT pg_get_triggerdef(t.oid) AS definition, parent.relname AS parent, part.relname AS part
          FROM pg_trigger t
          JOIN pg_class parent ON parent.oid = t.tgrelid AND parent.relkind = 'p'
          JOIN pg_inherits i ON i.inhparent = parent.oid
          JOIN pg_class part ON part.oid = i.inhrelid
         WHERE parent.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND t.tgtype & 1 = 0
    LOOP
        EXECUTE replace(found.definition, format(' ON %I.%I ', current_schema(), found.parent),
                        format(' ON %I.%I ', current_schema(), found.part));
    END LOOP;
END $$;
