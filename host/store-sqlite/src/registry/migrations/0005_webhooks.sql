-- Endpoints of tenants, and what they did not take. Secrets stand here as they are, since every message is signed
-- with them: whoever can read this file can sign as the service does. Kinds are joined by commas; none is all.
CREATE TABLE webhooks (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 8),
    tenant          TEXT    NOT NULL,
    revision        INTEGER NOT NULL CHECK (revision >= 1),
    url             TEXT    NOT NULL,
    kinds           TEXT    NOT NULL,
    secret          BLOB    NOT NULL CHECK (length(secret) = 32),
    former          BLOB    CHECK (length(former) = 32),
    former_until_ms INTEGER CHECK (former_until_ms >= 0),
    disabled        TEXT,
    created_at_ms   INTEGER NOT NULL CHECK (created_at_ms >= 0),
    cursor          TEXT,
    cursor_at_ms    INTEGER NOT NULL CHECK (cursor_at_ms >= 0),
    replay_after    TEXT,
    replay_only     TEXT,
    replay_from_ms  INTEGER CHECK (replay_from_ms >= 0),
    replay_until_ms INTEGER CHECK (replay_until_ms >= 0),
    holder          INTEGER NOT NULL DEFAULT 0 CHECK (holder >= 0),
    leased_until_ms INTEGER NOT NULL DEFAULT 0 CHECK (leased_until_ms >= 0),

    CONSTRAINT a_former_secret_has_an_end CHECK ((former IS NULL) = (former_until_ms IS NULL)),
    CONSTRAINT a_replay_is_whole
        CHECK ((replay_from_ms IS NULL) = (replay_until_ms IS NULL)
               AND (replay_after IS NULL OR replay_from_ms IS NOT NULL)
               AND (replay_only IS NULL OR replay_from_ms IS NOT NULL))
) STRICT;

CREATE INDEX webhooks_of_a_tenant ON webhooks (tenant, id);
CREATE INDEX webhooks_by_their_lease ON webhooks (leased_until_ms) WHERE disabled IS NULL;
CREATE INDEX webhooks_of_a_holder ON webhooks (holder, id) WHERE disabled IS NULL;

-- An event that an endpoint did not take. One that has no next time is a dead letter.
CREATE TABLE webhook_failures (
    webhook        BLOB    NOT NULL CHECK (length(webhook) = 8),
    event          TEXT    NOT NULL,
    after          TEXT,
    kind           TEXT    NOT NULL,
    happened_at_ms INTEGER NOT NULL CHECK (happened_at_ms >= 0),
    attempts       INTEGER NOT NULL CHECK (attempts >= 0),
    next_at_ms     INTEGER CHECK (next_at_ms >= 0),
    last_error     TEXT    NOT NULL,

    PRIMARY KEY (webhook, event)
) STRICT;
