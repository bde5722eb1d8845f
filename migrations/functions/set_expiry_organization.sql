-- Gives an attachment with a time to live the organisation of its task, and takes it from one that has none any more: so the
-- expired attachments of each organisation are found by an index.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION set_expiry_organization() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.organization := NULL;
  IF NEW.expires_at IS NOT NULL THEN
    SELECT organization INTO NEW.organization FROM tasks WHERE id = NEW.task_id;
  END IF;
  RETURN NEW;
END
$$;
