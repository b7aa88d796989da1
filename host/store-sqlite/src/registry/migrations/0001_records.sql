-- The service's own records: who may call, what was answered, what administrators did, which tenants and
-- plugins there are. There is no money here, and no secret.
--
-- Whose something is stands in `tenant`: the name of a tenant, or nothing at all ('') for the operator
-- and the service. No tenant has a name of that length.
-- Times are milliseconds since the Unix epoch, from the host's clock. An id of a key is its number, most
-- significant byte first, so that ids sort as numbers.

CREATE TABLE api_keys (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 8),
    tenant        TEXT    NOT NULL,
    user          TEXT,
    label         TEXT    NOT NULL,
    scopes        INTEGER NOT NULL CHECK (scopes BETWEEN 0 AND 255),
    hash          BLOB    NOT NULL CHECK (length(hash) = 32),
    created_at_ms INTEGER NOT NULL CHECK (created_at_ms >= 0),
    expires_at_ms INTEGER CHECK (expires_at_ms >= 0),
    revoked_at_ms INTEGER CHECK (revoked_at_ms >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_of_an_owner ON api_keys (tenant, id);
CREATE INDEX api_keys_by_their_end ON api_keys (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TRIGGER a_key_changes_only_by_being_revoked
BEFORE UPDATE OF id, tenant, user, label, scopes, hash, created_at_ms, expires_at_ms ON api_keys
BEGIN
    SELECT RAISE(ABORT, 'a key changes only by being revoked');
END;

CREATE TRIGGER a_revoked_key_stays_revoked BEFORE UPDATE OF revoked_at_ms ON api_keys
WHEN OLD.revoked_at_ms IS NOT NULL AND NEW.revoked_at_ms IS NOT OLD.revoked_at_ms
BEGIN
    SELECT RAISE(ABORT, 'a revoked key stays revoked');
END;

-- A request that was begun, and its answer where there is one.
CREATE TABLE requests (
    tenant         TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    fingerprint    BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    begun_at_ms    INTEGER NOT NULL CHECK (begun_at_ms >= 0),
    answered_at_ms INTEGER CHECK (answered_at_ms >= 0),
    status         INTEGER CHECK (status BETWEEN 0 AND 65535),
    body           BLOB,

    PRIMARY KEY (tenant, key),
    CONSTRAINT an_answer_is_whole
        CHECK ((answered_at_ms IS NULL) = (status IS NULL) AND (status IS NULL) = (body IS NULL))
) STRICT;

CREATE INDEX requests_by_their_beginning ON requests (begun_at_ms);

-- What administrators did, each at a place above all before it.
CREATE TABLE notes (
    place   INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL CHECK (at_ms >= 0),
    by_key  BLOB    CHECK (length(by_key) = 8),
    tenant  TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    outcome TEXT    NOT NULL
) STRICT;

CREATE INDEX notes_of_a_tenant ON notes (tenant, place);

CREATE TRIGGER a_note_never_changes BEFORE UPDATE ON notes
BEGIN
    SELECT RAISE(ABORT, 'what was written down never changes');
END;

CREATE TRIGGER notes_are_kept BEFORE DELETE ON notes
BEGIN
    SELECT RAISE(ABORT, 'what was written down is kept');
END;

-- What served before: `has_former` tells whether anything did, and no digest is the embedded plugin.
CREATE TABLE tenants (
    id            TEXT    NOT NULL PRIMARY KEY,
    revision      INTEGER NOT NULL UNIQUE CHECK (revision >= 1),
    settings      TEXT    NOT NULL,
    plugin        TEXT,
    has_former    INTEGER NOT NULL CHECK (has_former IN (0, 1)),
    former        TEXT    CHECK (former IS NULL OR has_former = 1),
    is_suspended  INTEGER NOT NULL CHECK (is_suspended IN (0, 1)),
    declared      TEXT,
    created_at_ms INTEGER NOT NULL CHECK (created_at_ms >= 0)
) STRICT;

-- The last revision of all, in the one row. It only rises.
CREATE TABLE revision (
    the_only INTEGER PRIMARY KEY CHECK (the_only = 1),
    value    INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);

CREATE TRIGGER the_revision_only_rises BEFORE UPDATE ON revision WHEN NEW.value <= OLD.value
BEGIN
    SELECT RAISE(ABORT, 'the revision only rises');
END;

-- The component last: a list of plugins does not read it.
CREATE TABLE plugins (
    place           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant          TEXT    NOT NULL,
    digest          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    bytes           INTEGER NOT NULL CHECK (bytes >= 0),
    installed_at_ms INTEGER NOT NULL CHECK (installed_at_ms >= 0),
    code            BLOB    NOT NULL CHECK (length(code) <= 16777216),

    UNIQUE (tenant, digest)
) STRICT;

CREATE INDEX plugins_of_a_tenant ON plugins (tenant, place);
