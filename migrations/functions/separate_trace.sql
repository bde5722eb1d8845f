-- Trigger function: takes the trace of the call out of the event of a new row of the outbox, and keeps it beside the
-- event. It is no part of what is announced. The trigger does not fire for an event without a trace.
--
-- Result  the row to insert
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION separate_trace() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.trace := NEW.event -> 'trace';
  NEW.event := (NEW.event::jsonb - 'trace')::json;
  RETURN NEW;
END
$$;
