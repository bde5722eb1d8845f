-- Names the cluster that executes the statement: its system identifier and its timeline. A restored dump is in a cluster
-- with another identifier, a promoted standby and a point-in-time recovery are on another timeline.
--
-- Result  null if the server does not tell: then a restored backup cannot be recognised
--
-- Raises `read_only_sql_transaction` on a standby: it may lack what the primary has acknowledged. Takes no lock.
CREATE OR REPLACE FUNCTION present_server() RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF pg_is_in_recovery() THEN
    RAISE read_only_sql_transaction USING MESSAGE = 'the server is a standby';
  END IF;
  -- The name of a WAL segment begins with the timeline, and is right at once after a promotion.
  RETURN (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8);
EXCEPTION
  WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    RETURN NULL;
END
$$;
