DROP TRIGGER separate_trace ON outbox_history;
DROP FUNCTION separate_trace;
ALTER TABLE outbox_history DROP COLUMN trace;
