"""The database keeps the audit itself: whoever changes a watched row, by whatever way, is written down with it.

Plain SQL, not a library of triggers: one function serves every table, those of django.contrib.auth included, which no
model of ours could declare a trigger on.

What the database cannot promise: a table's owner may take a trigger off. That is a change of the schema by hand, which
nothing in this program does.
"""

from django.db import migrations

#: table: what it is called, secret columns (never copied), columns that say nothing (neither copied nor counted)
WATCHED = {
    "trading_account": ("account", "", ""),
    "trading_apikey": ("API key", "digest", ""),
    "trading_kitelogin": ("Kite login", "sealed_token", ""),
    "trading_marketday": ("market day", "", ""),
    "trading_strategysetting": ("strategy setting", "", ""),
    "trading_universerow": ("watched instrument", "", "changed_at"),
    "risk_risklimits": ("risk limits", "", ""),
    "risk_entriesoff": ("entries off", "", ""),
    "risk_lock": ("lock", "", ""),
    "risk_blackout": ("blackout", "", ""),
    "risk_burninday": ("burnin day", "", ""),
    "trading_approval": ("approval", "", ""),
    "oco_flatten": ("flatten", "", ""),
    # Each login writes its own entry, so the time of the last one says nothing.
    "auth_user": ("user", "password", "last_login"),
    "auth_group": ("group", "", ""),
    "auth_user_groups": ("user's group", "", ""),
    "auth_user_user_permissions": ("user's permission", "", ""),
    "auth_group_permissions": ("group's permission", "", ""),
}

FUNCTIONS = """
CREATE FUNCTION audit_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said text := nullif(current_setting('aitrapp.actor', true), '');
    program text := current_setting('application_name', true);
BEGIN
    -- Whoever writes an entry does not choose its time and its author.
    NEW.at := clock_timestamp();
    NEW.address := left(coalesce(nullif(current_setting('aitrapp.address', true), ''), host(inet_client_addr()), ''), 60);
    NEW.actor := left(CASE
        WHEN said IS NOT NULL THEN said
        WHEN program LIKE 'aitrapp: %' THEN substr(program, 10)
        ELSE 'database role ' || session_user
    END, 150);
    RETURN NEW;
END $$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Audit entries are kept for ever: % is refused.', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    secret text[] := string_to_array(TG_ARGV[1], ',');
    silent text[] := string_to_array(TG_ARGV[2], ',');
    was jsonb := '{}';
    is_now jsonb := '{}';
    one jsonb;
    before jsonb;
    after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN is_now := to_jsonb(NEW); END IF;
    one := CASE TG_OP WHEN 'DELETE' THEN was ELSE is_now END;
    SELECT jsonb_object_agg(key, CASE WHEN key = ANY(secret) AND value <> '""' THEN '"…"' ELSE value END) INTO before
        FROM jsonb_each(was) WHERE key <> ALL(silent) AND value IS DISTINCT FROM is_now -> key;
    SELECT jsonb_object_agg(key, CASE WHEN key = ANY(secret) AND value <> '""' THEN '"…"' ELSE value END) INTO after
        FROM jsonb_each(is_now) WHERE key <> ALL(silent) AND value IS DISTINCT FROM was -> key;
    IF before IS NULL AND after IS NULL THEN RETURN NULL; END IF;
    INSERT INTO risk_auditentry (action, outcome, subject, account_id, before, after, words)
    VALUES (
        CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
        'done',
        left(concat_ws(' ', TG_ARGV[0], coalesce(
            one ->> 'username', one ->> 'strategy', one ->> 'day', one ->> 'event', one ->> 'name',
            concat_ws(' ', one ->> 'reason', one ->> 'id')
        )), 120),
        (CASE TG_TABLE_NAME WHEN 'trading_account' THEN one ->> 'id' ELSE one ->> 'account_id' END)::bigint,
        before, after, ''
    );
    RETURN NULL;
END $$;
"""

# ALWAYS: session_replication_role does not switch them off either.
GUARDS = """
CREATE TRIGGER audit_is_stamped BEFORE INSERT ON risk_auditentry
    FOR EACH ROW EXECUTE FUNCTION audit_stamp();
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON risk_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON risk_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE risk_auditentry ENABLE ALWAYS TRIGGER audit_is_stamped;
ALTER TABLE risk_auditentry ENABLE ALWAYS TRIGGER audit_is_never_changed;
ALTER TABLE risk_auditentry ENABLE ALWAYS TRIGGER audit_is_never_emptied;
"""

def watch(table: str) -> migrations.RunSQL:
    what, secret, silent = (text.replace("'", "''") for text in WATCHED[table])
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION audit_row('{what}', '{secret}', '{silent}');
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER audited;
        """
    )


class Migration(migrations.Migration):
    dependencies = [
        ("risk", "0003_audit"),
        ("trading", "0009_approvals"),
        ("oco", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [
        # Cannot be taken back: the way back from 0002 would drop the table with everything in it.
        migrations.RunSQL(FUNCTIONS + GUARDS),
        *(watch(table) for table in WATCHED),
    ]
