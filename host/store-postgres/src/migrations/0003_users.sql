-- What a user looks back on: packets sent, claims, the statement of a wallet; and fundings by a key.
--
-- Each list is an index of rows that are there already, so it holds what was before, and no row is
-- written twice. None of these columns ever changes. The condition of each holds for every row and is
-- said by the lists alone: so whatever looks a row up by its key has no choice of going by a user,
-- through all that is theirs.

CREATE INDEX orders_sent ON orders (sender, tenant, packet) WHERE key > '';

-- The one index here that a claim writes.
CREATE INDEX claims_received ON claims (user_id, tenant, claimed_at_ms, packet)
    WITH (deduplicate_items = off) WHERE amount > 0;

-- Movements get places in the order of writing; those that are there, in the order of time, and at the
-- same time in the order in which money can have moved.
CREATE SEQUENCE movements_places;
ALTER TABLE movements ADD COLUMN id bigint;
ALTER TABLE movements DISABLE TRIGGER movements_are_kept;
UPDATE movements SET id = placed.id
  FROM (SELECT tableoid AS part, ctid AS place,
               row_number() OVER (ORDER BY at_ms, array_position(ARRAY['fund', 'send', 'settle', 'refund'], kind),
                                           packet, user_id) AS id
          FROM movements) AS placed
 WHERE movements.tableoid = placed.part AND movements.ctid = placed.place;
ALTER TABLE movements ENABLE TRIGGER movements_are_kept;
SELECT setval('movements_places', max(id)) FROM movements HAVING count(*) > 0;
ALTER TABLE movements ALTER COLUMN id SET NOT NULL, ALTER COLUMN id SET DEFAULT nextval('movements_places');

-- A claim writes it when it is settled.
CREATE INDEX movements_of_a_wallet ON movements (user_id, tenant, id)
    WITH (deduplicate_items = off) WHERE amount > 0;

-- A key names one funding of its tenant. To write one is to credit the wallet: a trigger posts it, so
-- that there is no key without its money. What an amount may be is the movement's rule, and it comes
-- after the key's: so a key that was used is told of first.
CREATE TABLE fundings (
    key     text   COLLATE "C" NOT NULL,
    tenant  text   COLLATE "C" NOT NULL,
    user_id text   COLLATE "C" NOT NULL,
    amount  bigint NOT NULL,
    at_ms   bigint NOT NULL,
    CONSTRAINT a_key_names_one_funding PRIMARY KEY (key, tenant)
) PARTITION BY HASH (key);

DO $$
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE fundings_%s PARTITION OF fundings FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                       part, part);
    END LOOP;
END $$;

CREATE FUNCTION post_funding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.movements (tenant, kind, user_id, amount, at_ms)
    VALUES (NEW.tenant, 'fund', NEW.user_id, NEW.amount, NEW.at_ms);
    RETURN NULL;
END $$;
CREATE TRIGGER a_funding_is_posted AFTER INSERT ON fundings FOR EACH ROW EXECUTE FUNCTION post_funding();

-- On the partitions as well, since a statement that names one fires its triggers alone.
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['fundings'] || ARRAY(SELECT 'fundings_' || part FROM generate_series(0, 7) part) LOOP
        EXECUTE format($trigger$CREATE TRIGGER fundings_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse('a key names its funding for ever')$trigger$, kept);
    END LOOP;
END $$;

-- Credits a wallet from outside, once for each key. Out: what came of it ('replayed' where the key names
-- the same funding, 'reused' where it names another), and what the wallet holds then. Whoever comes
-- second with a key waits for the first to commit, and then finds it.
CREATE FUNCTION fund_wallet_once(
    of text, funding_key text, payee text, credit bigint, now_ms bigint, OUT outcome text, OUT held bigint
) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.fundings (key, tenant, user_id, amount, at_ms)
    VALUES (funding_key, of, payee, credit, now_ms) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        outcome := 'funded';
    ELSE
        SELECT CASE WHEN user_id = payee AND amount = credit THEN 'replayed' ELSE 'reused' END INTO outcome
          FROM hongbao.fundings WHERE key = funding_key AND tenant = of;
    END IF;
    SELECT balance INTO held FROM hongbao.wallets WHERE user_id = payee AND tenant = of;
    held := coalesce(held, 0);
END $$;
