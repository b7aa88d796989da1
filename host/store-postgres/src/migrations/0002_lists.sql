-- The sweep of expired packets asks for those of all tenants at once, and a room asks for its latest.

-- The strongest lock comes first, so that no statement that is under way holds half of what it needs.
DROP INDEX packets_due;

-- By time alone, so one index answers for all tenants and for one: what is due is little unless a sweep
-- was away, and the tenant is looked at in the index. Its condition is not the status: whatever finds an
-- open packet by its key would have the choice of going by time, through all that are due.
CREATE INDEX packets_due ON packets (expires_at_ms, tenant, id) WHERE ended_at_ms IS NULL;

-- The packets of a room. Not an index of packets, since it goes by the room; since with it a packet's key
-- could be looked up in more than one index; and since a claim that ends a packet would write it.
CREATE TABLE rooms (
    room   text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    packet uuid NOT NULL,
    PRIMARY KEY (room, tenant, packet)
) PARTITION BY HASH (room);

DO $$
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE rooms_%s PARTITION OF rooms FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                       part, part);
    END LOOP;
END $$;

INSERT INTO rooms SELECT room, tenant, id FROM packets ORDER BY room COLLATE "C", tenant, id;

CREATE FUNCTION list_packet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hongbao.rooms VALUES (NEW.room, NEW.tenant, NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER a_packet_is_listed AFTER INSERT ON packets FOR EACH ROW EXECUTE FUNCTION list_packet();

-- On the partitions as well, since a statement that names one fires its triggers alone.
DO $$
DECLARE
    listed text;
BEGIN
    FOREACH listed IN ARRAY ARRAY['rooms'] || ARRAY(SELECT 'rooms_' || part FROM generate_series(0, 7) part) LOOP
        EXECUTE format($trigger$CREATE TRIGGER rooms_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse('a packet stays in its room')$trigger$, listed);
    END LOOP;
END $$;
