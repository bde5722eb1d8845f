-- Creates the parts of the outbox for the days to come, in UTC, if today or one of the next two has none. Until a day has
-- its part, its rows are in the default one, and stay there: then the part begins after them.
--
-- It runs with the rights of the owner of the tables, as only the owner may create parts.
--
-- Locks: replicas that do the same pass each other by. A new part is attached under the exclusive lock of the default
-- part: a reader waits for it, a write does not. The function gives up after a tenth of a second, if a long transaction
-- such as a dump holds the default part, and is to be called again.
CREATE OR REPLACE FUNCTION create_outbox_days() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '100ms' AS $$
DECLARE
  today     timestamptz := date_trunc('day', now(), 'UTC');
  ahead     interval := '72 hours';
  begins_at timestamptz;
  ends_at   timestamptz;
  part      text;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7234017283807667303) THEN
    RETURN;
  END IF;
  begins_at := greatest(today, (SELECT max(days.ends_at) FROM outbox_days() AS days));
  IF begins_at >= today + ahead THEN
    RETURN;
  END IF;
  -- A new part makes PostgreSQL read all of the default one. While that has rows, there are parts for longer than it keeps
  -- them.
  IF EXISTS (SELECT FROM outbox_default) THEN
    ahead := '240 hours';
  END IF;
  WHILE begins_at < today + ahead LOOP
    -- With time for the rows of transactions that are under way.
    begins_at := greatest(begins_at, (
      SELECT greatest(max(at), now()) + interval '1 minute' FROM outbox_default HAVING max(at) >= begins_at));
    ends_at := date_trunc('day', begins_at, 'UTC') + interval '24 hours';
    part := 'outbox_' || to_char(begins_at AT TIME ZONE 'UTC', 'YYYYMMDD');
    -- Rows are added and never changed, and the table is dropped after a few days: a vacuum would only read it again.
    EXECUTE format('CREATE TABLE %I (LIKE outbox_default INCLUDING ALL) WITH (autovacuum_vacuum_insert_threshold = -1)', part);
    EXECUTE format('ALTER TABLE outbox_history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, begins_at, ends_at);
    begins_at := ends_at;
  END LOOP;
END
$$;
