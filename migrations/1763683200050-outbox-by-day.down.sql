DROP VIEW outbox;
DROP TABLE outbox_history, outbox_waiting;
DROP FUNCTION change_outbox, purge_outbox, create_outbox_days, outbox_days, await_publication, is_recorded;
-- Empty, and only for the migrations before this one to undo.
CREATE TABLE outbox (
  seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization text COLLATE "C",
  published    boolean NOT NULL DEFAULT false,
  ancestors    text[] COLLATE "C"
);
CREATE INDEX outbox_by_organization ON outbox (organization, seq);
CREATE TRIGGER set_readers BEFORE INSERT ON outbox
FOR EACH ROW WHEN (NOT NEW.published) EXECUTE FUNCTION set_outbox_readers();
ALTER TABLE tasks RESET (autovacuum_vacuum_scale_factor);
ALTER TABLE task_attachments RESET (autovacuum_vacuum_scale_factor, toast.autovacuum_vacuum_scale_factor);
