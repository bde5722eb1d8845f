-- The trace of the call that made a change, for the message that announces it. Replicas of earlier releases neither
-- write it nor read it.
ALTER TABLE outbox_history ADD COLUMN trace json;

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

-- Judged by the text, as nearly all events have no trace: inside a string, a quotation mark has a backslash before it.
CREATE TRIGGER separate_trace BEFORE INSERT ON outbox_history
FOR EACH ROW WHEN (NEW.event::text LIKE '%"trace":%') EXECUTE FUNCTION separate_trace();
