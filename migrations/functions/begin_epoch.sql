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
  sequence regclass := pg_get_serial_sequence('outbox_history', 'seq')::regclass;
BEGIN
  PERFORM pg_advisory_xact_lock(7234017283807667302);
  PERFORM FROM database_identity WHERE epoch = p_after;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  LOCK TABLE outbox_history IN SHARE ROW EXCLUSIVE MODE;
  PERFORM setval(sequence, greatest(nextval(sequence), (SELECT max(seq) FROM outbox_history)));
  UPDATE database_identity
  SET epoch = gen_random_uuid(), first_seq = nextval(sequence), server = present_server(), began_at = now();
END
$$;
