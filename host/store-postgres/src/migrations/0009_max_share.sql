-- The most that one share of a packet may be, as it was when the packet was sent: what the policy says later does not
-- touch it. A packet from before has none written down; its shares may be as much as it holds.
ALTER TABLE packets ADD COLUMN max_share bigint
    CONSTRAINT its_shares_can_make_the_total CHECK (max_share >= 1 AND (total - 1) / shares < max_share);

-- On the partitions as well, since a statement that names one fires its triggers alone.
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['packets', 'packets_0', 'packets_1', 'packets_2', 'packets_3', 'packets_4',
                                'packets_5', 'packets_6', 'packets_7'] LOOP
        EXECUTE format('DROP TRIGGER an_order_never_changes ON %I', kept);
        EXECUTE format($trigger$CREATE TRIGGER an_order_never_changes BEFORE UPDATE OF
            id, tenant, key, room, sender, strategy, total, shares, max_share, audience, audience_users, greeting,
            expires_in_ms, sent_at_ms, expires_at_ms ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was ordered never changes')$trigger$, kept);
    END LOOP;
END $$;

DROP FUNCTION record_packet(
    uuid, text, text, text, text, text, bigint, bigint, text, text[], text, bigint, bigint);

-- As before: writes a packet and debits its sender, in one statement. Out: what came of it ('key' where the
-- sender's key names a packet already, 'funds' where the wallet holds too little), that packet, and
-- what the wallet holds. The wallet's row is locked first, so what one sender does comes one by one
-- and the key is looked at after whoever used it before has committed.
CREATE FUNCTION record_packet(
    new_id uuid, of text, order_key text, room text, payer text, strategy text, amount bigint, shares bigint,
    max_share bigint, audience text, audience_users text[], greeting text, expires_in_ms bigint, now_ms bigint,
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
        INSERT INTO hongbao.packets (id, tenant, key, room, sender, strategy, total, shares, max_share,
            audience, audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
        VALUES (new_id, of, order_key, room, payer, strategy, amount, shares, max_share, audience,
            audience_users, greeting, expires_in_ms, now_ms, now_ms + expires_in_ms);
        SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payer AND tenant = of;
        PERFORM hongbao.must_hold('the wallet of ' || payer, held_before - amount, held);
    END IF;
END $$;
