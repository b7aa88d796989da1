-- The operator's suspension and the tenant's own are two things: `is_suspended` is the operator's. Whoever
-- suspended a tenant before counts as the operator, who alone lifts it.
ALTER TABLE tenants ADD COLUMN is_suspended_by_tenant INTEGER NOT NULL DEFAULT 0
    CHECK (is_suspended_by_tenant IN (0, 1));
