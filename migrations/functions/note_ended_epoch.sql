-- Trigger function: notes of an epoch that ends which one is the next, and where its rows of the outbox begin. A reader of
-- events goes on there if what it has read last is of the epoch that ended.
--
-- Result  the identity to store
--
-- Takes no lock: the statement that changes the epoch holds the row.
CREATE OR REPLACE FUNCTION note_ended_epoch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.ended_epochs := OLD.ended_epochs
    || jsonb_build_object(OLD.epoch, jsonb_build_object('next', NEW.epoch, 'first_seq', NEW.first_seq));
  RETURN NEW;
END
$$;
