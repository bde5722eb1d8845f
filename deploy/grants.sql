-- The least that the service needs at run time. It is run by the role that owns the schema, after `dossier migrate up`:
--
--   psql -v ON_ERROR_STOP=1 "$OWNER_URL" -f deploy/grants.sql
--
-- Before the first time, an administrator creates the role (docs/upgrading.md has all commands):
--
--   CREATE ROLE dossier_app LOGIN PASSWORD '…';
--
-- It may be repeated. For a role of another name: GRANT dossier_app TO other_name.
--
-- Two functions are SECURITY DEFINER: `create_outbox_days` and `purge_outbox`, because only the owner may create and drop
-- the tables of the days. Their search_path is fixed. No other function is: this role may change every task anyway.

BEGIN;

-- The tables of the days are created as this role: it needs a schema in which it may, as the owner of the database does.
DO $$
BEGIN
  IF has_schema_privilege(current_schema(), 'CREATE') IS NOT TRUE THEN
    RAISE EXCEPTION 'the role % may not create tables in the database %', current_user, current_database()
      USING HINT = format('As an administrator: ALTER DATABASE %I OWNER TO %I', current_database(), current_user);
  END IF;
END
$$;

-- A deleted task stays as a row without data.
GRANT SELECT, INSERT, UPDATE ON tasks TO dossier_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON task_attachments, unfinished_deletions TO dossier_app;

-- An event is never changed: the right to update the history is also the right to lock it, which a new epoch does. The
-- view is changed by replicas of the previous release.
GRANT SELECT, INSERT, UPDATE ON outbox_history TO dossier_app;
GRANT SELECT, INSERT, DELETE ON outbox_waiting TO dossier_app;
GRANT SELECT, UPDATE, DELETE ON outbox TO dossier_app;

-- How many tasks an organization has.
GRANT SELECT, INSERT, DELETE ON task_counts TO dossier_app;

-- Which replica has the turn of a job.
GRANT SELECT, INSERT, UPDATE ON job_turns TO dossier_app;

-- Never the identity itself, nor what the owner notes about the schema.
GRANT SELECT ON database_identity, event_position_key, schema_compatibility, dossier_migrations TO dossier_app;
GRANT UPDATE (epoch, first_seq, server, began_at, uses_nats) ON database_identity TO dossier_app;

-- A new epoch sets the sequence of the outbox above its rows.
DO $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO dossier_app', current_schema());
  EXECUTE format('GRANT USAGE, UPDATE ON SEQUENCE %s TO dossier_app', pg_get_serial_sequence('outbox_history', 'seq'));
  EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO dossier_app', current_schema());

  -- A later migration serves replicas of this release from its first moment, before this file is run again.
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dossier_app',
    current_schema());
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE, UPDATE ON SEQUENCES TO dossier_app',
    current_schema());
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO dossier_app', current_schema());
END
$$;

COMMIT;
