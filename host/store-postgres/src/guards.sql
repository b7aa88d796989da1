-- What guards the books, a row for each guard: its kind, the table that it is on, its name and how it is. The
-- program compares it with what its migrations make (`guards.txt`). Catalogue columns where there are any, and
-- expressions without spaces: the answer is the same on every version from 14 to 18.
WITH ours AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
           c.relpartbound, i.parents, i.detaching
      FROM pg_class c
      LEFT JOIN LATERAL (
          SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhparent) AS parents,
                 bool_or(inhdetachpending) AS detaching
            FROM pg_inherits WHERE inhrelid = c.oid) AS i ON true
     WHERE c.relnamespace = to_regnamespace('hongbao') AND c.relkind IN ('r', 'p')
), described (kind, place, name, state) AS (
    SELECT 'table', name, ''::text, concat_ws(', ',
           CASE relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(oid) ELSE 'plain' END,
           CASE relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
           CASE WHEN relrowsecurity OR relforcerowsecurity THEN 'under row level security' END,
           'partition of ' || parents || ' ' || pg_get_expr(relpartbound, oid),
           CASE WHEN relpartbound IS NULL THEN 'child of ' || parents END,
           CASE WHEN detaching THEN 'being detached' END)
      FROM ours
    UNION ALL
    SELECT 'column', ours.name, attname::text, concat_ws(', ',
           format_type(atttypid, atttypmod),
           CASE WHEN attnotnull AND NOT EXISTS (
               SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'n' AND conkey = ARRAY[attnum]
                  AND NOT convalidated) THEN 'not null' END,
           CASE WHEN attcollation <> 0 THEN 'collation ' || (SELECT collname FROM pg_collation l WHERE l.oid = attcollation) END,
           CASE attgenerated WHEN '' THEN 'default ' ELSE 'generated ' || attgenerated::text || ' ' END
               || translate(pg_get_expr(adbin, adrelid), E' \n', ''),
           CASE WHEN attidentity <> '' THEN 'identity ' || attidentity::text END)
      FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
      LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
    UNION ALL
    SELECT 'constraint', ours.name, conname::text, concat_ws(', ',
           CASE contype WHEN 'c' THEN 'check' WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' ELSE contype::text END,
           CASE contype WHEN 'c' THEN translate(pg_get_expr(conbin, conrelid), E' \n', '')
               ELSE (SELECT string_agg(attname, ', ' ORDER BY place) FROM unnest(conkey) WITH ORDINALITY AS k (num, place)
                       JOIN pg_attribute ON attrelid = conrelid AND attnum = num) END,
           CASE WHEN NOT convalidated THEN 'not valid' END,
           CASE WHEN condeferrable OR condeferred THEN 'deferrable' END,
           CASE WHEN to_jsonb(n)->>'conenforced' = 'false' THEN 'not enforced' END)
      FROM ours JOIN pg_constraint n ON conrelid = ours.oid AND contype IN ('c', 'p', 'u')
    UNION ALL
    SELECT 'index', ours.name,
           (SELECT string_agg(pg_get_indexdef(indexrelid, k, false), ', ' ORDER BY k) FROM generate_series(1, indnkeyatts) k)
           || coalesce(' where ' || translate(pg_get_expr(indpred, indrelid), E' \n', ''), ''),
           concat_ws(', ', (SELECT amname FROM pg_am WHERE pg_am.oid = relam), CASE WHEN indisunique THEN 'unique' END,
           CASE WHEN NOT indimmediate THEN 'deferrable' END,
           CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN 'not valid' END)
      FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class x ON x.oid = indexrelid
    UNION ALL
    SELECT 'trigger', ours.name, tgname::text, concat_ws(', ',
           CASE tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled for replicas only'
               ELSE 'enabled always' END,
           concat_ws(' ', CASE WHEN tgtype & 2 <> 0 THEN 'before' WHEN tgtype & 64 <> 0 THEN 'instead of' ELSE 'after' END,
               CASE WHEN tgtype & 4 <> 0 THEN 'insert' END, CASE WHEN tgtype & 8 <> 0 THEN 'delete' END,
               CASE WHEN tgtype & 16 <> 0 THEN 'update' END, CASE WHEN tgtype & 32 <> 0 THEN 'truncate' END,
               CASE WHEN tgtype & 1 <> 0 THEN 'for each row' ELSE 'for each statement' END),
           'of ' || (SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute
                      WHERE attrelid = tgrelid AND attnum = ANY (tgattr::int2[])),
           'when ' || translate(substring(pg_get_triggerdef(t.oid) FROM ' WHEN (.*) EXECUTE '), E' \n', ''),
           'old ' || tgoldtable, 'new ' || tgnewtable, CASE WHEN tgdeferrable THEN 'deferrable' END,
           (SELECT nspname || '.' || proname FROM pg_proc p JOIN pg_namespace s ON s.oid = pronamespace WHERE p.oid = tgfoid),
           nullif(encode(tgargs, 'escape'), ''))
      FROM ours JOIN pg_trigger t ON tgrelid = ours.oid
       AND (NOT tgisinternal OR tgparentid <> 0 AND tgconstraint = 0)
    UNION ALL
    SELECT 'function', proname::text, pg_get_function_identity_arguments(p.oid), concat_ws(', ',
           'returns ' || prorettype::regtype, (SELECT lanname FROM pg_language l WHERE l.oid = prolang),
           md5(prosrc), CASE WHEN prosecdef THEN 'security definer' END, 'volatility ' || provolatile::text,
           CASE WHEN proisstrict THEN 'strict' END, array_to_string(proconfig, ', '))
      FROM pg_proc p WHERE pronamespace = to_regnamespace('hongbao')
    UNION ALL
    SELECT 'sequence', relname::text, ''::text, concat_ws(', ', format_type(seqtypid, NULL), 'increment ' || seqincrement,
           'minvalue ' || seqmin, 'maxvalue ' || seqmax, 'cache ' || seqcache, CASE WHEN seqcycle THEN 'cycle' END,
           CASE relpersistence WHEN 'u' THEN 'unlogged' END)
      FROM pg_class JOIN pg_sequence ON seqrelid = oid WHERE relnamespace = to_regnamespace('hongbao')
    UNION ALL
    SELECT 'rule', ours.name, rulename::text, 'on ' || ev_type::text || CASE WHEN is_instead THEN ' instead' ELSE '' END
      FROM ours JOIN pg_rewrite ON ev_class = ours.oid
    UNION ALL
    SELECT 'child', ours.name, inhrelid::regclass::text, 'inherits'
      FROM ours JOIN pg_inherits ON inhparent = ours.oid JOIN pg_class c ON c.oid = inhrelid
     WHERE c.relnamespace <> to_regnamespace('hongbao')
)
SELECT concat_ws('|', kind, place, name, state) FROM described ORDER BY 1
