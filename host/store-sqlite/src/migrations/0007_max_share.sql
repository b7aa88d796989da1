-- The most that one share of a packet may be, as it was when the packet was sent: what the policy says later does not
-- touch it. A packet from before has none written down; its shares may be as much as it holds.
ALTER TABLE packets ADD COLUMN max_share INTEGER
    CONSTRAINT its_shares_can_make_the_total CHECK (max_share >= 1 AND (total - 1) / shares < max_share);

DROP TRIGGER an_order_never_changes;
CREATE TRIGGER an_order_never_changes BEFORE UPDATE OF
    tenant, id, key, room, sender, strategy, total, shares, max_share, audience, audience_users, greeting,
    expires_in_ms, sent_at_ms, expires_at_ms ON packets
BEGIN
    SELECT RAISE(ABORT, 'what was ordered never changes');
END;
