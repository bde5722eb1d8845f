-- The parts of the outbox that hold the events of certain days: all but the default one.
--
-- Result, one row for each part:
-- part                the table
-- begins_at, ends_at  it holds the rows from the first to before the second; the first is null if the part has no
--                     beginning
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION outbox_days() RETURNS TABLE (part regclass, begins_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT oid::regclass, (regexp_match(bounds, 'FROM \(''(.+?)''\)'))[1]::timestamptz,
    (regexp_match(bounds, 'TO \(''(.+?)''\)'))[1]::timestamptz
  FROM pg_inherits JOIN pg_class ON oid = inhrelid, pg_get_expr(relpartbound, oid) AS bounds
  WHERE inhparent = 'outbox_history'::regclass AND bounds <> 'DEFAULT'
$$;
