-- Endpoints of tenants, and what they did not take. Secrets stand here as they are, since every message is signed
-- with them: whoever can read this table can sign as the service does. Kinds are joined by commas; none is all.
CREATE TABLE webhooks (
    id              bytea   PRIMARY KEY CHECK (length(id) = 8),
    tenant          text    COLLATE "C" NOT NULL,
    revision        bigint  NOT NULL CHECK (revision >= 1),
    url             text    NOT NULL,
    kinds           text    NOT NULL,
    secret          bytea   NOT NULL CHECK (length(secret) = 32),
    former          bytea   CHECK (length(former) = 32),
    former_until_ms bigint  CHECK (former_until_ms >= 0),
    disabled        text,
    created_at_ms   bigint  NOT NULL CHECK (created_at_ms >= 0),
    cursor          text,
    cursor_at_ms    bigint  NOT NULL CHECK (cursor_at_ms >= 0),
    replay_after    text,
    replay_only     text,
    replay_from_ms  bigint  CHECK (replay_from_ms >= 0),
    replay_until_ms bigint  CHECK (replay_until_ms >= 0),
    holder          bigint  NOT NULL DEFAULT 0 CHECK (holder >= 0),
    leased_until_ms bigint  NOT NULL DEFAULT 0 CHECK (leased_until_ms >= 0),

    CONSTRAINT a_former_secret_has_an_end CHECK ((former IS NULL) = (former_until_ms IS NULL)),
    CONSTRAINT a_replay_is_whole
        CHECK ((replay_from_ms IS NULL) = (replay_until_ms IS NULL)
               AND (replay_after IS NULL OR replay_from_ms IS NOT NULL)
               AND (replay_only IS NULL OR replay_from_ms IS NOT NULL))
);

CREATE INDEX webhooks_of_a_tenant ON webhooks (tenant, id);
CREATE INDEX webhooks_by_their_lease ON webhooks (leased_until_ms) WHERE disabled IS NULL;
CREATE INDEX webhooks_of_a_holder ON webhooks (holder, id) WHERE disabled IS NULL;

-- An event that an endpoint did not take. One that has no next time is a dead letter.
CREATE TABLE webhook_failures (
    webhook        bytea   NOT NULL CHECK (length(webhook) = 8),
    event          text    COLLATE "C" NOT NULL,
    after          text,
    kind           text    NOT NULL,
    happened_at_ms bigint  NOT NULL CHECK (happened_at_ms >= 0),
    attempts       integer NOT NULL CHECK (attempts >= 0),
    next_at_ms     bigint  CHECK (next_at_ms >= 0),
    last_error     text    NOT NULL,

    PRIMARY KEY (webhook, event)
);

-- Keeps an endpoint if its tenant has fewer than `most`: 'kept', 'taken' where there is one of this id, or 'full'. One
-- after the other for each tenant.
CREATE FUNCTION add_webhook(
    most bigint, new_id bytea, of text, new_url text, new_kinds text, new_secret bytea, new_former bytea,
    new_former_until_ms bigint, new_disabled text, new_created_at_ms bigint, new_cursor text,
    new_cursor_at_ms bigint, OUT outcome text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of, 3));
    PERFORM FROM hongbao.webhooks WHERE id = new_id;
    IF FOUND THEN
        outcome := 'taken';
        RETURN;
    END IF;
    PERFORM FROM hongbao.webhooks WHERE tenant <= of AND (tenant, id) > (of, '') HAVING count(*) >= most;
    IF FOUND THEN
        outcome := 'full';
        RETURN;
    END IF;
    INSERT INTO hongbao.webhooks (id, tenant, revision, url, kinds, secret, former, former_until_ms, disabled,
                                  created_at_ms, cursor, cursor_at_ms)
    VALUES (new_id, of, 1, new_url, new_kinds, new_secret, new_former, new_former_until_ms, new_disabled,
            new_created_at_ms, new_cursor, new_cursor_at_ms)
    ON CONFLICT ON CONSTRAINT webhooks_pkey DO NOTHING;
    outcome := CASE WHEN FOUND THEN 'kept' ELSE 'taken' END;
END $$;
