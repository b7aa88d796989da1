-- Money that leaves, in two phases: `withdraw` takes it out of the wallet into holding at once; later `complete` hands
-- it to the treasury, or `cancel` puts it back. Each withdrawal ends once. Holding has no table of balances: what it
-- holds is the sum of the withdrawals that are held.

-- A movement is now of a packet, of a withdrawal or of neither. Those of a withdrawal have no packet, so they are all
-- in one partition, as fundings are; the index is on all of them, which costs those without a withdrawal nothing.
ALTER TABLE movements ADD COLUMN withdrawal uuid;
ALTER TABLE movements
    DROP CONSTRAINT movements_kind_check,
    DROP CONSTRAINT only_a_funding_has_no_packet,
    ADD CONSTRAINT movements_kind_check
        CHECK (kind IN ('fund', 'send', 'settle', 'refund', 'withdraw', 'complete', 'cancel')),
    ADD CONSTRAINT a_movement_of_a_packet_has_one
        CHECK ((kind IN ('send', 'settle', 'refund')) = (packet IS NOT NULL)),
    ADD CONSTRAINT a_movement_of_a_withdrawal_has_one
        CHECK ((kind IN ('withdraw', 'complete', 'cancel')) = (withdrawal IS NOT NULL));

DO $$
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE UNIQUE INDEX movements_%s_of_a_withdrawal ON movements_%s (withdrawal, tenant, kind)
                         WHERE withdrawal IS NOT NULL', part, part);
    END LOOP;
END $$;

-- A key names one withdrawal of its tenant, as it does a funding. To write a row is to take the money out of the
-- wallet, and to give it another state is to end it: triggers post both, so that there is no withdrawal without its
-- movements, and no such movement without its withdrawal.
--
-- In one part: they are few, since each is a payment of a bank, and no division goes by both of what is unique. That an
-- id names one of its tenant is held by the movements of it.
CREATE TABLE withdrawals (
    id              uuid   NOT NULL,
    tenant          text   COLLATE "C" NOT NULL,
    user_id         text   COLLATE "C" NOT NULL,
    key             text   COLLATE "C" NOT NULL,
    amount          bigint NOT NULL CHECK (amount >= 1),
    reference       text   NOT NULL,
    state           text   COLLATE "C" NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'completed', 'cancelled')),
    requested_at_ms bigint NOT NULL,
    ended_at_ms     bigint,

    PRIMARY KEY (user_id, tenant, id),
    CONSTRAINT what_is_held_has_not_ended CHECK ((state = 'held') = (ended_at_ms IS NULL))
);

-- Its condition holds for every row and is said by whoever asks for a key, and by nobody else.
CREATE UNIQUE INDEX a_key_names_one_withdrawal ON withdrawals (key, tenant) WHERE amount > 0;
-- Left by whatever ends. Lookups of one withdrawal never say the state.
CREATE INDEX withdrawals_held ON withdrawals (tenant, id) WHERE state = 'held';

-- Both postings of every movement. The account is the user's wallet, the packet's escrow or the withdrawal's holding;
-- the treasury has none of them.
CREATE OR REPLACE VIEW postings (tenant, account, user_id, packet, amount, at_ms, withdrawal) AS
SELECT tenant,
       CASE WHEN kind = 'fund' THEN 'treasury' WHEN kind IN ('send', 'withdraw') THEN 'wallet'
            WHEN kind IN ('settle', 'refund') THEN 'escrow' ELSE 'holding' END,
       CASE WHEN kind IN ('send', 'withdraw') THEN user_id END,
       CASE WHEN kind IN ('settle', 'refund') THEN packet END,
       -amount, at_ms,
       CASE WHEN kind IN ('complete', 'cancel') THEN withdrawal END
  FROM movements
UNION ALL
SELECT tenant,
       CASE kind WHEN 'send' THEN 'escrow' WHEN 'withdraw' THEN 'holding' WHEN 'complete' THEN 'treasury'
            ELSE 'wallet' END,
       CASE WHEN kind IN ('fund', 'settle', 'refund', 'cancel') THEN user_id END,
       CASE kind WHEN 'send' THEN packet END,
       amount, at_ms,
       CASE kind WHEN 'withdraw' THEN withdrawal END
  FROM movements;

-- As before, with the kinds of a withdrawal.
CREATE OR REPLACE FUNCTION post_movements() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_indexscan = off
SET enable_indexonlyscan = off SET enable_bitmapscan = on SET enable_nestloop = on AS $$
DECLARE
    missed bigint;
BEGIN
    IF EXISTS (
        SELECT FROM posted WHERE CASE
            WHEN kind = 'fund' THEN false
            WHEN kind = 'settle' THEN NOT EXISTS (
                SELECT FROM hongbao.claims
                 WHERE claims.packet = posted.packet AND claims.tenant = posted.tenant
                   AND claims.user_id = posted.user_id AND claims.amount = posted.amount
                OFFSET 0)
            WHEN kind IN ('send', 'refund') THEN NOT EXISTS (
                SELECT FROM hongbao.packets
                 WHERE packets.id = posted.packet AND packets.tenant = posted.tenant
                   AND packets.sender = posted.user_id
                   AND posted.amount = CASE kind WHEN 'send' THEN packets.total ELSE packets.refunded END
                   AND (kind = 'send' OR packets.status = 'expired')
                OFFSET 0)
            -- Posted by the trigger of a withdrawal, and by nothing else.
            ELSE pg_trigger_depth() < 2 OR NOT EXISTS (
                SELECT FROM hongbao.withdrawals
                 WHERE withdrawals.user_id = posted.user_id AND withdrawals.tenant = posted.tenant
                   AND withdrawals.id = posted.withdrawal AND withdrawals.amount = posted.amount
                   -- Said in this way, the state leads to no index of withdrawals that are held.
                   AND kind = CASE withdrawals.state WHEN 'held' THEN 'withdraw' WHEN 'completed' THEN 'complete'
                                   ELSE 'cancel' END
                OFFSET 0)
        END)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a movement is what its packet, its claim or its withdrawal says';
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
         WHERE kind IN ('send', 'withdraw') GROUP BY user_id, tenant
    ), moved AS (
        UPDATE hongbao.wallets SET balance = balance - given.amount FROM given
         WHERE wallets.user_id = given.user_id AND wallets.tenant = given.tenant RETURNING 1
    )
    SELECT (SELECT count(*) FROM given) - (SELECT count(*) FROM moved) INTO missed;
    IF missed <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the wallet holds too little';
    END IF;
    INSERT INTO hongbao.wallets (user_id, tenant, balance)
    SELECT user_id, tenant, sum(amount)::bigint FROM posted
     WHERE kind IN ('fund', 'settle', 'refund', 'cancel')
     GROUP BY user_id, tenant ORDER BY user_id, tenant
    ON CONFLICT (user_id, tenant) DO UPDATE SET balance = wallets.balance + excluded.balance;
    RETURN NULL;
END $$;

-- A withdrawal: debited as it is written, and ended once.

CREATE TRIGGER a_withdrawal_starts_held BEFORE INSERT ON withdrawals FOR EACH ROW
WHEN (NEW.state <> 'held') EXECUTE FUNCTION refuse('a withdrawal starts as it is held');

CREATE FUNCTION post_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.movements (withdrawal, tenant, kind, user_id, amount, at_ms)
    VALUES (NEW.id, NEW.tenant, 'withdraw', NEW.user_id, NEW.amount, NEW.requested_at_ms);
    RETURN NULL;
END $$;
CREATE TRIGGER a_withdrawal_is_taken AFTER INSERT ON withdrawals FOR EACH ROW EXECUTE FUNCTION post_withdrawal();

CREATE TRIGGER a_withdrawal_never_changes BEFORE UPDATE OF
    id, tenant, user_id, key, amount, reference, requested_at_ms ON withdrawals
FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was withdrawn never changes');

CREATE TRIGGER a_withdrawal_ends_once BEFORE UPDATE ON withdrawals FOR EACH ROW
WHEN (OLD.state <> 'held' OR NEW.state = 'held') EXECUTE FUNCTION refuse('a withdrawal ends once');

CREATE FUNCTION post_end_of_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.movements (withdrawal, tenant, kind, user_id, amount, at_ms)
    VALUES (NEW.id, NEW.tenant, CASE NEW.state WHEN 'completed' THEN 'complete' ELSE 'cancel' END,
            NEW.user_id, NEW.amount, NEW.ended_at_ms);
    RETURN NULL;
END $$;
CREATE TRIGGER the_end_of_a_withdrawal_is_posted AFTER UPDATE ON withdrawals FOR EACH ROW
EXECUTE FUNCTION post_end_of_withdrawal();

CREATE TRIGGER withdrawals_are_kept BEFORE DELETE OR TRUNCATE ON withdrawals
FOR EACH STATEMENT EXECUTE FUNCTION refuse('withdrawals are kept');

-- Takes money out of a wallet, once for each key. Out: what came of it ('held'; 'key' where the key names a withdrawal
-- already; 'funds' where the wallet holds too little), and what the wallet holds. The wallet's row is locked first, so
-- what one user does comes one by one. Whoever comes second with the key of another user waits for that one to commit.
CREATE FUNCTION withdraw(
    new_id uuid, of text, withdrawal_key text, payer text, debit bigint, new_reference text, now_ms bigint,
    OUT outcome text, OUT held bigint
) LANGUAGE plpgsql AS $$
DECLARE
    held_before bigint;
BEGIN
    SELECT balance INTO held_before FROM hongbao.wallets WHERE user_id = payer AND tenant = of FOR UPDATE;
    held := coalesce(held_before, 0);
    -- Said in this way, the tenant leads to no index but that of keys.
    PERFORM FROM hongbao.withdrawals
      WHERE key = withdrawal_key AND CASE tenant WHEN of THEN true ELSE false END AND amount > 0;
    IF FOUND THEN
        outcome := 'key';
        RETURN;
    ELSIF held < debit THEN
        outcome := 'funds';
        RETURN;
    END IF;
    INSERT INTO hongbao.withdrawals (id, tenant, user_id, key, amount, reference, requested_at_ms)
    VALUES (new_id, of, payer, withdrawal_key, debit, new_reference, now_ms)
    ON CONFLICT (key, tenant) WHERE amount > 0 DO NOTHING;
    IF NOT FOUND THEN
        outcome := 'key';
        RETURN;
    END IF;
    outcome := 'held';
    SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payer AND tenant = of;
    PERFORM hongbao.must_hold('the wallet of ' || payer, held_before - debit, held);
END $$;

-- Ends a withdrawal of a user; gives how it stood before, and null where there is none. Only one that was held ends by
-- this. What goes back locks the wallet before the withdrawal, as taking out does.
CREATE FUNCTION end_withdrawal(ended_id uuid, of text, payer text, new_state text, now_ms bigint, OUT state_before text)
LANGUAGE plpgsql AS $$
DECLARE
    held_before bigint;
    held bigint;
    ended_amount bigint;
BEGIN
    IF new_state = 'cancelled' THEN
        SELECT balance INTO held_before FROM hongbao.wallets WHERE user_id = payer AND tenant = of FOR UPDATE;
    END IF;
    SELECT state, amount INTO state_before, ended_amount FROM hongbao.withdrawals
     WHERE user_id = payer AND tenant = of AND id = ended_id FOR UPDATE;
    IF state_before IS DISTINCT FROM 'held' THEN
        RETURN;
    END IF;
    UPDATE hongbao.withdrawals SET state = new_state, ended_at_ms = now_ms
     WHERE user_id = payer AND tenant = of AND id = ended_id;
    IF new_state = 'cancelled' THEN
        SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payer AND tenant = of;
        PERFORM hongbao.must_hold('the wallet of ' || payer, held_before + ended_amount, held);
    ELSE
        -- No balance tells of it, so its movement does.
        SELECT amount INTO held FROM hongbao.movements
         WHERE withdrawal = ended_id
           AND CASE WHEN tenant = of THEN kind = 'complete' ELSE false END;
        PERFORM hongbao.must_hold('the treasury, of withdrawal ' || ended_id || ',', ended_amount, held);
    END IF;
END $$;
