CREATE OR REPLACE TRIGGER set_readers BEFORE INSERT ON outbox_history
FOR EACH ROW WHEN (NOT NEW.unannounced) EXECUTE FUNCTION set_outbox_readers();
