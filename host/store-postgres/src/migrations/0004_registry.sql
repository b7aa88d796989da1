-- The service's own records: who may call, what was answered, what administrators did, which tenants and
-- plugins there are. There is no money here, and no secret.
--
-- Whose something is stands in `tenant`: the name of a tenant, or nothing at all ('') for the operator
-- and the service. No tenant has a name of that length.
-- An id of a key is its number, most significant byte first, so that ids sort as numbers.

CREATE TABLE api_keys (
    id            bytea   PRIMARY KEY CHECK (length(id) = 8),
    tenant        text    COLLATE "C" NOT NULL,
    user_id       text,
    label         text    NOT NULL,
    scopes        integer NOT NULL CHECK (scopes BETWEEN 0 AND 255),
    hash          bytea   NOT NULL CHECK (length(hash) = 32),
    created_at_ms bigint  NOT NULL CHECK (created_at_ms >= 0),
    expires_at_ms bigint  CHECK (expires_at_ms >= 0),
    revoked_at_ms bigint  CHECK (revoked_at_ms >= 0)
);

CREATE INDEX api_keys_of_an_owner ON api_keys (tenant, id);
CREATE INDEX api_keys_by_their_end ON api_keys (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TRIGGER a_key_changes_only_by_being_revoked
BEFORE UPDATE OF id, tenant, user_id, label, scopes, hash, created_at_ms, expires_at_ms ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a key changes only by being revoked');

CREATE TRIGGER a_revoked_key_stays_revoked BEFORE UPDATE ON api_keys FOR EACH ROW
WHEN (OLD.revoked_at_ms IS NOT NULL AND NEW.revoked_at_ms IS DISTINCT FROM OLD.revoked_at_ms)
EXECUTE FUNCTION refuse('a revoked key stays revoked');

-- A request that was begun, and its answer where there is one.
CREATE TABLE requests (
    tenant         text    COLLATE "C" NOT NULL,
    key            text    COLLATE "C" NOT NULL,
    fingerprint    bytea   NOT NULL CHECK (length(fingerprint) = 32),
    begun_at_ms    bigint  NOT NULL CHECK (begun_at_ms >= 0),
    answered_at_ms bigint  CHECK (answered_at_ms >= 0),
    status         integer CHECK (status BETWEEN 0 AND 65535),
    body           bytea,

    PRIMARY KEY (tenant, key),
    CONSTRAINT an_answer_is_whole
        CHECK ((answered_at_ms IS NULL) = (status IS NULL) AND (status IS NULL) = (body IS NULL))
);

CREATE INDEX requests_by_their_beginning ON requests (begun_at_ms);

-- Begins a request, or says how it stands: 'new', 'running', 'other' or 'answered'. One statement decides;
-- it locks the row that it leaves alone, which therefore is the one that the second reads.
CREATE FUNCTION begin_request(
    of text, request text, print bytea, now_ms bigint, kept_ms bigint, running_ms bigint,
    OUT outcome text, OUT status integer, OUT body bytea
) LANGUAGE plpgsql AS $$
DECLARE
    there hongbao.requests;
BEGIN
    INSERT INTO hongbao.requests AS present (tenant, key, fingerprint, begun_at_ms)
    VALUES (of, request, print, now_ms)
    ON CONFLICT ON CONSTRAINT requests_pkey DO UPDATE
       SET fingerprint = excluded.fingerprint, begun_at_ms = excluded.begun_at_ms, answered_at_ms = NULL,
           status = NULL, body = NULL
     WHERE present.begun_at_ms <= now_ms - kept_ms
        OR (present.answered_at_ms IS NULL AND present.fingerprint = excluded.fingerprint
            AND present.begun_at_ms <= now_ms - running_ms);
    IF FOUND THEN
        outcome := 'new';
        RETURN;
    END IF;
    SELECT * INTO STRICT there FROM hongbao.requests AS present WHERE present.tenant = of AND present.key = request;
    IF there.fingerprint <> print THEN
        outcome := 'other';
    ELSIF there.answered_at_ms IS NULL THEN
        outcome := 'running';
    ELSE
        outcome := 'answered';
        status := there.status;
        body := there.body;
    END IF;
END $$;

-- What administrators did, each at a place above all before it.
CREATE TABLE notes (
    place   bigint PRIMARY KEY,
    at_ms   bigint NOT NULL CHECK (at_ms >= 0),
    by_key  bytea  CHECK (length(by_key) = 8),
    tenant  text   COLLATE "C" NOT NULL,
    action  text   NOT NULL,
    subject text   NOT NULL,
    outcome text   NOT NULL
);

CREATE INDEX notes_of_a_tenant ON notes (tenant, place);

CREATE TRIGGER notes_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON notes
FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was written down is kept');

-- The last number that was given. Whoever takes the next holds the row until the commit, so numbers are
-- seen in their order: a sequence would show a later one before an earlier one.
CREATE TABLE numbers (
    name  text   COLLATE "C" PRIMARY KEY CHECK (name IN ('note', 'revision')),
    value bigint NOT NULL
);
INSERT INTO numbers VALUES ('note', 0), ('revision', 0);

CREATE TRIGGER a_number_only_rises BEFORE UPDATE ON numbers FOR EACH ROW WHEN (NEW.value <= OLD.value)
EXECUTE FUNCTION refuse('a number only rises');
CREATE TRIGGER numbers_are_kept BEFORE DELETE OR TRUNCATE ON numbers
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a number only rises');

-- What served before: `has_former` tells whether anything did, and no digest is the embedded plugin.
CREATE TABLE tenants (
    id            text    COLLATE "C" PRIMARY KEY,
    revision      bigint  NOT NULL UNIQUE CHECK (revision >= 1),
    settings      text    NOT NULL,
    plugin        text,
    has_former    boolean NOT NULL,
    former        text,
    is_suspended  boolean NOT NULL,
    declared      text,
    created_at_ms bigint  NOT NULL CHECK (created_at_ms >= 0),
    CONSTRAINT a_former_plugin_is_one CHECK (former IS NULL OR has_former)
);

-- Writes a tenant if its revision still is the one that is known, 0 where there is none; gives the new one,
-- and null where somebody else was faster. Changes of all tenants come one by one: the row that is locked
-- first is that of the last revision.
CREATE FUNCTION put_tenant(
    of text, known bigint, new_settings text, new_plugin text, new_has_former boolean, new_former text,
    new_is_suspended boolean, new_declared text, new_created_at_ms bigint, OUT given bigint
) LANGUAGE plpgsql AS $$
DECLARE
    present bigint;
BEGIN
    PERFORM FROM hongbao.numbers WHERE name = 'revision' FOR UPDATE;
    SELECT revision INTO present FROM hongbao.tenants WHERE id = of;
    IF coalesce(present, 0) <> known THEN
        RETURN;
    END IF;
    UPDATE hongbao.numbers SET value = value + 1 WHERE name = 'revision' RETURNING value INTO given;
    INSERT INTO hongbao.tenants VALUES (of, given, new_settings, new_plugin, new_has_former, new_former,
                                        new_is_suspended, new_declared, new_created_at_ms)
    ON CONFLICT ON CONSTRAINT tenants_pkey DO UPDATE
       SET revision = excluded.revision, settings = excluded.settings, plugin = excluded.plugin,
           has_former = excluded.has_former, former = excluded.former, is_suspended = excluded.is_suspended,
           declared = excluded.declared, created_at_ms = excluded.created_at_ms;
END $$;

-- A tenant has few, so its list is put in order where it is asked for.
CREATE TABLE plugins (
    tenant          text   COLLATE "C" NOT NULL,
    digest          text   COLLATE "C" NOT NULL,
    place           bigint GENERATED ALWAYS AS IDENTITY,
    name            text   NOT NULL,
    version         text   NOT NULL,
    bytes           bigint NOT NULL CHECK (bytes >= 0),
    installed_at_ms bigint NOT NULL CHECK (installed_at_ms >= 0),
    code            bytea  NOT NULL CHECK (length(code) <= 16777216),
    PRIMARY KEY (tenant, digest)
);
