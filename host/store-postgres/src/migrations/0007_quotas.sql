-- Who suspended a tenant, and what a tenant may have of what all share.

-- The operator's suspension and the tenant's own are two things: `is_suspended` is the operator's. Whoever
-- suspended a tenant before counts as the operator, who alone lifts it.
ALTER TABLE tenants ADD COLUMN is_suspended_by_tenant boolean NOT NULL DEFAULT false;

DROP FUNCTION put_tenant(text, bigint, text, text, boolean, text, boolean, text, bigint);

-- As before: writes a tenant if its revision still is the one that is known, 0 where there is none; gives the
-- new one, and null where somebody else was faster.
CREATE FUNCTION put_tenant(
    of text, known bigint, new_settings text, new_plugin text, new_has_former boolean, new_former text,
    new_is_suspended boolean, new_is_suspended_by_tenant boolean, new_declared text, new_created_at_ms bigint,
    OUT given bigint
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
    INSERT INTO hongbao.tenants (id, revision, settings, plugin, has_former, former, is_suspended,
                                 is_suspended_by_tenant, declared, created_at_ms)
    VALUES (of, given, new_settings, new_plugin, new_has_former, new_former, new_is_suspended,
            new_is_suspended_by_tenant, new_declared, new_created_at_ms)
    ON CONFLICT ON CONSTRAINT tenants_pkey DO UPDATE
       SET revision = excluded.revision, settings = excluded.settings, plugin = excluded.plugin,
           has_former = excluded.has_former, former = excluded.former, is_suspended = excluded.is_suspended,
           is_suspended_by_tenant = excluded.is_suspended_by_tenant, declared = excluded.declared,
           created_at_ms = excluded.created_at_ms;
END $$;

-- Installs a plugin if its tenant then has no more than it may: 'now', 'before' or 'full'. One after the
-- other for each tenant, so that of several at once no more go in than fit.
CREATE FUNCTION put_plugin(
    of text, new_digest text, new_name text, new_version text, new_bytes bigint, now_ms bigint, new_code bytea,
    most_plugins bigint, most_bytes bigint, OUT outcome text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of, 1));
    PERFORM FROM hongbao.plugins WHERE tenant = of AND digest = new_digest;
    IF FOUND THEN
        outcome := 'before';
        RETURN;
    END IF;
    PERFORM FROM hongbao.plugins WHERE tenant = of
    HAVING count(*) >= most_plugins OR coalesce(sum(bytes), 0) + new_bytes > most_bytes;
    IF FOUND THEN
        outcome := 'full';
        RETURN;
    END IF;
    INSERT INTO hongbao.plugins (tenant, digest, name, version, bytes, installed_at_ms, code)
    VALUES (of, new_digest, new_name, new_version, new_bytes, now_ms, new_code);
    outcome := 'now';
END $$;

-- Removes a plugin if its tenant's revision still is the one that is known, and raises that; gives the new one,
-- and null where somebody else was faster or there is no such plugin. If it served before, nothing did any more.
CREATE FUNCTION remove_plugin(of text, old_digest text, known bigint, OUT given bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM hongbao.numbers WHERE name = 'revision' FOR UPDATE;
    PERFORM FROM hongbao.tenants WHERE id = of AND revision = known;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM hongbao.plugins WHERE tenant = of AND digest = old_digest;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE hongbao.numbers SET value = value + 1 WHERE name = 'revision' RETURNING value INTO given;
    UPDATE hongbao.tenants
       SET revision = given, has_former = has_former AND former IS DISTINCT FROM old_digest,
           former = nullif(former, old_digest)
     WHERE id = of;
END $$;

-- Keeps a key if its owner has fewer than `most` that are valid now: 'kept', 'taken' where there is one of this
-- id, or 'full'. One after the other for each owner.
CREATE FUNCTION add_key_within(
    most bigint, new_id bytea, of text, new_user_id text, new_label text, new_scopes integer, new_hash bytea,
    new_created_at_ms bigint, new_expires_at_ms bigint, new_revoked_at_ms bigint, OUT outcome text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of, 2));
    PERFORM FROM hongbao.api_keys WHERE id = new_id;
    IF FOUND THEN
        outcome := 'taken';
        RETURN;
    END IF;
    -- Said in this way, only the index of owners can answer it, whatever is known of the table.
    PERFORM FROM hongbao.api_keys
     WHERE tenant <= of AND (tenant, id) > (of, '') AND scopes >= 0 AND revoked_at_ms IS NULL
       AND coalesce(expires_at_ms > new_created_at_ms, true)
    HAVING count(*) >= most;
    IF FOUND THEN
        outcome := 'full';
        RETURN;
    END IF;
    INSERT INTO hongbao.api_keys (id, tenant, user_id, label, scopes, hash, created_at_ms, expires_at_ms,
                                  revoked_at_ms)
    VALUES (new_id, of, new_user_id, new_label, new_scopes, new_hash, new_created_at_ms, new_expires_at_ms,
            new_revoked_at_ms)
    ON CONFLICT ON CONSTRAINT api_keys_pkey DO NOTHING;
    outcome := CASE WHEN FOUND THEN 'kept' ELSE 'taken' END;
END $$;
