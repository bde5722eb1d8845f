-- The identity of the database. A dump and a standby carry it along, so that a copy is recognised by its server.
CREATE TABLE database_identity (
  is_only     boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  database_id uuid NOT NULL,
  -- Transaction ids are compared within one epoch only. Epochs have no order: a restored backup would count again.
  epoch       uuid NOT NULL,
  -- The first row of the outbox that is of this epoch.
  first_seq   bigint NOT NULL,
  -- As `present_server` named it when the epoch began; null if the server does not tell.
  server      text,
  began_at    timestamptz NOT NULL DEFAULT now(),
  -- Events are published to NATS: a replica without it must not take them for published.
  uses_nats   boolean NOT NULL DEFAULT false
);

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

-- Begins a new epoch in the history of the database: transaction ids of earlier epochs are not compared with later ones.
-- Sets the sequence of the outbox above its rows, as after logical replication it may lag behind them.
--
-- p_after  the epoch that ends. If it has ended already, nothing is done: another replica was faster
--
-- Locks: replicas that do the same wait for each other; no row of the outbox is recorded meanwhile, so that each row is
-- of one epoch, by its `seq`. A caller holds no other lock.
CREATE OR REPLACE FUNCTION begin_epoch(p_after uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  sequence regclass := pg_get_serial_sequence('outbox', 'seq')::regclass;
BEGIN
  PERFORM pg_advisory_xact_lock(7234017283807667302);
  PERFORM FROM database_identity WHERE epoch = p_after;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE;
  PERFORM setval(sequence, greatest(nextval(sequence), (SELECT max(seq) FROM outbox)));
  UPDATE database_identity
  SET epoch = gen_random_uuid(), first_seq = nextval(sequence), server = present_server(), began_at = now();
END
$$;

-- The rows that are there are of this epoch, too: this is the server that has recorded them.
INSERT INTO database_identity (database_id, epoch, first_seq, server)
VALUES (gen_random_uuid(), gen_random_uuid(), 0, present_server());
