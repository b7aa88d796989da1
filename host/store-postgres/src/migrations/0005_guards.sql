-- Statements that read no more than they are about, whatever the statistics say; and statements that move
-- money look at what their triggers wrote.
--
-- A plan is made once for a session and kept. One that is made while tables are empty, or by statistics of that
-- time, compares plans that all cost the same, and one of them may read a whole table. So each lookup below has
-- one index that can answer it:
--
-- - a table that is looked up is behind LATERAL (… OFFSET 0) or EXISTS (… OFFSET 0), which no plan turns into
--   a join from that table's side, nor into a hash of all of it;
-- - the triggers of a batch allow nested loops and bitmap scans alone. A bitmap scan needs a condition on an
--   index, where an index scan could go through all of it; so a join cannot but begin with the batch and look
--   its rows up one by one;
-- - an index that serves lists has a condition that holds for every row and is said by the lists alone.

-- Led by the packet, for lists of a packet's claims. With the sequence first, such a list could go through all
-- packets' claims in their order.
ALTER TABLE claims DROP CONSTRAINT claims_are_numbered;
CREATE UNIQUE INDEX claims_are_numbered ON claims (packet, tenant, sequence) WHERE amount > 0;

-- A key is looked up by its id at every request: only the primary key may answer that.
DROP INDEX api_keys_of_an_owner;
CREATE INDEX api_keys_of_an_owner ON api_keys (tenant, id) WHERE scopes >= 0;

CREATE OR REPLACE FUNCTION count_claims() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_indexscan = off
SET enable_indexonlyscan = off SET enable_bitmapscan = on SET enable_nestloop = on AS $$
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

CREATE OR REPLACE FUNCTION leave_outbox() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_indexscan = off
SET enable_indexonlyscan = off SET enable_bitmapscan = on SET enable_nestloop = on AS $$
BEGIN
    IF EXISTS (
        SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM hongbao.movements
             WHERE movements.packet = gone.packet AND movements.tenant = gone.tenant
               AND movements.kind = 'settle' AND movements.user_id = gone.user_id
            OFFSET 0))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a claim leaves the outbox when it is settled';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION post_movements() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_indexscan = off
SET enable_indexonlyscan = off SET enable_bitmapscan = on SET enable_nestloop = on AS $$
DECLARE
    missed bigint;
BEGIN
    IF EXISTS (
        SELECT FROM posted WHERE CASE kind
            WHEN 'fund' THEN false
            WHEN 'settle' THEN NOT EXISTS (
                SELECT FROM hongbao.claims
                 WHERE claims.packet = posted.packet AND claims.tenant = posted.tenant
                   AND claims.user_id = posted.user_id AND claims.amount = posted.amount
                OFFSET 0)
            ELSE NOT EXISTS (
                SELECT FROM hongbao.packets
                 WHERE packets.id = posted.packet AND packets.tenant = posted.tenant
                   AND packets.sender = posted.user_id
                   AND posted.amount = CASE kind WHEN 'send' THEN packets.total ELSE packets.refunded END
                   AND (kind = 'send' OR packets.status = 'expired')
                OFFSET 0)
        END)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a movement is what its packet or its claim says';
    END IF;

    INSERT INTO hongbao.escrows (packet, tenant, balance)
    SELECT packet, tenant, amount FROM posted WHERE kind = 'send';
    PERFORM FROM (
        SELECT DISTINCT packet, tenant FROM posted WHERE kind IN ('settle', 'refund') ORDER BY packet, tenant
    ) AS given CROSS JOIN LATERAL (
        SELECT FROM hongbao.escrows
         WHERE escrows.packet = given.packet AND escrows.tenant = given.tenant OFFSET 0 FOR UPDATE
    ) AS locked;
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

-- True, or an error where the triggers of this session are silent. Statements that post money by triggers alone
-- ask it once.
CREATE FUNCTION are_guarded() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
            MESSAGE = 'triggers of the books are switched off: session_replication_role is replica';
    END IF;
    RETURN true;
END $$;

-- Refuses to go on where a balance is not what the triggers should have made it: then they are switched off.
-- `data_corrupted` is an error that nobody takes for a refusal.
CREATE FUNCTION must_hold(account text, expected bigint, held bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF held IS DISTINCT FROM expected THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
            MESSAGE = format('triggers of the books are switched off: %s holds %s and not %s', account,
                             coalesce(held::text, 'nothing'), expected);
    END IF;
END $$;

-- Writes a packet and debits its sender, in one statement. Out: what came of it ('key' where the
-- sender's key names a packet already, 'funds' where the wallet holds too little), that packet, and
-- what the wallet holds. The wallet's row is locked first, so what one sender does comes one by one
-- and the key is looked at after whoever used it before has committed.
CREATE OR REPLACE FUNCTION record_packet(
    new_id uuid, of text, order_key text, room text, payer text, strategy text, amount bigint, shares bigint,
    audience text, audience_users text[], greeting text, expires_in_ms bigint, now_ms bigint,
    OUT outcome text, OUT packet uuid, OUT held bigint
) LANGUAGE plpgsql AS $$
DECLARE
    held_before bigint;
BEGIN
    SELECT balance INTO held_before FROM hongbao.wallets WHERE user_id = payer AND tenant = of FOR UPDATE;
    SELECT orders.packet INTO packet FROM hongbao.orders
     WHERE orders.sender = payer AND orders.tenant = of AND orders.key = order_key;
    held := coalesce(held_before, 0);
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
        SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payer AND tenant = of;
        PERFORM hongbao.must_hold('the wallet of ' || payer, held_before - amount, held);
    END IF;
END $$;

-- Credits a wallet from outside; gives what it holds then. A wallet that was there is locked, so what it holds
-- is exactly known; one that was not may be made by others meanwhile.
CREATE OR REPLACE FUNCTION fund_wallet(of text, payee text, amount bigint, now_ms bigint, OUT held bigint)
LANGUAGE plpgsql AS $$
DECLARE
    held_before bigint;
BEGIN
    SELECT balance INTO held_before FROM hongbao.wallets WHERE user_id = payee AND tenant = of FOR UPDATE;
    INSERT INTO hongbao.movements (tenant, kind, user_id, amount, at_ms) VALUES (of, 'fund', payee, amount, now_ms);
    SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payee AND tenant = of;
    PERFORM hongbao.must_hold('the wallet of ' || payee, coalesce(held_before + amount, greatest(held, amount)), held);
END $$;

-- Credits a wallet from outside, once for each key. Out: what came of it ('replayed' where the key names
-- the same funding, 'reused' where it names another), and what the wallet holds then. Whoever comes
-- second with a key waits for the first to commit, and then finds it. The key comes before the wallet: a
-- wallet that is not there cannot be locked first, so those who find it and those who do not would wait for
-- each other. So what the trigger wrote is known by who wrote it: this transaction.
CREATE OR REPLACE FUNCTION fund_wallet_once(
    of text, funding_key text, payee text, credit bigint, now_ms bigint, OUT outcome text, OUT held bigint
) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.fundings (key, tenant, user_id, amount, at_ms)
    VALUES (funding_key, of, payee, credit, now_ms) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        outcome := 'funded';
        SELECT balance INTO held FROM hongbao.wallets
         WHERE user_id = payee AND tenant = of AND xmin = pg_current_xact_id()::xid AND balance >= credit;
        PERFORM hongbao.must_hold('the wallet of ' || payee || ', of this funding,', coalesce(held, credit), held);
        RETURN;
    END IF;
    SELECT CASE WHEN user_id = payee AND amount = credit THEN 'replayed' ELSE 'reused' END INTO outcome
      FROM hongbao.fundings WHERE key = funding_key AND tenant = of;
    SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payee AND tenant = of;
    held := coalesce(held, 0);
END $$;

-- Ends a packet that is past its time and still at the version; gives what went back to its sender, and null
-- where it was not ended. The packet is locked before its escrow, as everywhere.
CREATE FUNCTION close_packet(closed_id uuid, of text, expected_version bigint, now_ms bigint, OUT given_back bigint)
LANGUAGE plpgsql AS $$
DECLARE
    held_before bigint;
    held bigint;
BEGIN
    PERFORM FROM hongbao.packets
      WHERE id = closed_id AND tenant = of AND version = expected_version AND expires_at_ms <= now_ms
        AND CASE status WHEN 'open' THEN true ELSE false END
        FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT balance INTO held_before FROM hongbao.escrows WHERE packet = closed_id AND tenant = of FOR UPDATE;
    UPDATE hongbao.packets
       SET status = 'expired', refunded = total - claimed_amount, version = version + 1, ended_at_ms = now_ms
     WHERE id = closed_id AND tenant = of
    RETURNING refunded INTO given_back;
    SELECT balance INTO held FROM hongbao.escrows WHERE packet = closed_id AND tenant = of;
    PERFORM hongbao.must_hold('the escrow of packet ' || closed_id, held_before - given_back, held);
END $$;
