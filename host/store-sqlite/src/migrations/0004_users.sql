-- What a user looks back on: packets sent, claims, the statement of a wallet; and fundings by a key.
-- Each list is an index of rows that are there already, so it holds what was before, and no row is
-- written twice. None of these columns ever changes. The condition of those that are conditional holds
-- for every row and is said by the lists alone: so what goes over a tenant's rows goes by their own order.

-- Written when a packet is sent, and never by a claim.
CREATE INDEX packets_sent ON packets (tenant, sender, id);

-- The one index here that a claim writes.
CREATE INDEX claims_received ON claims (tenant, user, claimed_at_ms, packet) WHERE amount > 0;

-- By the place in the books, which every index ends with. A claim writes it when it is settled.
CREATE INDEX movements_of_a_wallet ON movements (tenant, user) WHERE amount > 0;

-- A key names one funding of its tenant. To write one is to credit the wallet: a trigger posts it, so
-- that there is no key without its money, and no money without its key.
CREATE TABLE fundings (
    tenant TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    user   TEXT    NOT NULL,
    amount INTEGER NOT NULL,
    at_ms  INTEGER NOT NULL,
    CONSTRAINT a_key_names_one_funding PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER a_funding_is_posted AFTER INSERT ON fundings
BEGIN
    INSERT INTO movements (tenant, kind, user, amount, at_ms)
    VALUES (NEW.tenant, 'fund', NEW.user, NEW.amount, NEW.at_ms);
END;

CREATE TRIGGER fundings_never_change BEFORE UPDATE ON fundings
BEGIN
    SELECT RAISE(ABORT, 'a key names its funding for ever');
END;

CREATE TRIGGER fundings_are_kept BEFORE DELETE ON fundings
BEGIN
    SELECT RAISE(ABORT, 'fundings are kept');
END;
