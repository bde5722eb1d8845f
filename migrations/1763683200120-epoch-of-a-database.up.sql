-- No epoch ends for the new name: on the server that is noted, it is the same database.
UPDATE database_identity
SET server = concat_ws('/',
  server, (SELECT oid FROM pg_database WHERE datname = current_database()), 'database_identity'::regclass::oid)
WHERE server = present_server();

-- Names the database that executes the statement: the system identifier and the timeline of its cluster, its own id, and
-- that of the table of the identity. A restored dump is another database or another table, in this cluster or in another
-- one. A promoted standby and a point-in-time recovery are on another timeline.
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
  RETURN concat_ws('/',
    (SELECT system_identifier FROM pg_control_system()), left(pg_walfile_name(pg_current_wal_lsn()), 8),
    (SELECT oid FROM pg_database WHERE datname = current_database()), 'database_identity'::regclass::oid);
EXCEPTION
  WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    RETURN NULL;
END
$$;
