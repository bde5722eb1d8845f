-- Forgets events of the outbox that have been published, one part of it at a time: a whole day by dropping its table,
-- which reads none of its rows, or some of the default part.
--
-- p_before  a day is forgotten if it ended before, and none of its events waits to be published
-- p_limit   how many rows of the default part are looked at
-- Result    whether it is to be called again
--
-- It runs with the rights of the owner of the tables, as only the owner may drop them.
--
-- Locks: replicas that do the same pass each other by. A table is dropped under the exclusive lock of the whole outbox,
-- for a moment. The function gives up after a tenth of a second, if a long transaction such as a dump holds the outbox,
-- and is to be called again later: writes and readers queue behind it for that time.
CREATE OR REPLACE FUNCTION purge_outbox(p_before timestamptz, p_limit integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '100ms'
-- A plan for a small default part would be kept when it has grown.
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  day    regclass;
  purged integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7234017283807667303) THEN
    RETURN false;
  END IF;
  -- The bounds of a day are read from text: not again for each event that waits.
  WITH days AS MATERIALIZED (
    SELECT part, begins_at, ends_at FROM outbox_days() WHERE ends_at <= p_before
  )
  SELECT part INTO day FROM days
  WHERE NOT EXISTS (
    SELECT FROM outbox_waiting WHERE at < ends_at AND (at >= begins_at OR begins_at IS NULL))
  ORDER BY ends_at LIMIT 1;
  IF FOUND THEN
    EXECUTE format('DROP TABLE %s', day);
    RETURN true;
  END IF;

  -- Only the first rows are looked at, so that rows which must stay are not read again and again.
  WITH first AS MATERIALIZED (
    SELECT seq, at FROM outbox_default ORDER BY seq LIMIT p_limit
  )
  DELETE FROM outbox_default WHERE seq IN (
    SELECT seq FROM first WHERE at < p_before AND NOT EXISTS (
      SELECT FROM outbox_waiting AS waiting WHERE waiting.seq = first.seq));
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged = p_limit;
END
$$;
