-- Trigger function: notes the rows that a statement has added to the history of the outbox as waiting to be published,
-- but for those that are not announced.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION await_publication() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_waiting (seq, op_id, at) SELECT seq, op_id, at FROM recorded WHERE NOT unannounced;
  RETURN NULL;
END
$$;
