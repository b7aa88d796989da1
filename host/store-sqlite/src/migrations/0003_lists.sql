-- The sweep of expired packets asks for those of all tenants at once, and a room asks for its latest.

-- By time alone, so one index answers for all tenants and for one: what is due is little unless a sweep
-- was away, and tenant and id are in the index. A packet that ends leaves no more indexes than before.
DROP INDEX packets_due;
CREATE INDEX packets_due ON packets (expires_at_ms, tenant, id) WHERE status = 'open';

-- None of these columns ever changes, so it is written when a packet is sent, and never by a claim.
CREATE INDEX packets_recent ON packets (tenant, room, id);
