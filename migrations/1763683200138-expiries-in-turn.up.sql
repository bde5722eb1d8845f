-- The expired attachments of each organisation are found among any number of another one's. An attachment has its
-- organisation as long as it has a time to live; an older replica writes it without knowing of it.
--
-- No attachment can be read or changed meanwhile: about three seconds for each million that have a time to live and are in
-- memory.
ALTER TABLE task_attachments ADD COLUMN organization text COLLATE "C";

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

CREATE TRIGGER set_expiry_organization BEFORE INSERT OR UPDATE OF expires_at ON task_attachments FOR EACH ROW
WHEN (NEW.expires_at IS NOT NULL OR NEW.organization IS NOT NULL) EXECUTE FUNCTION set_expiry_organization();

UPDATE task_attachments AS a SET organization = t.organization FROM tasks AS t
WHERE t.id = a.task_id AND a.expires_at IS NOT NULL;

CREATE INDEX task_attachments_of_organizations_by_expiry ON task_attachments (organization, expires_at)
WHERE expires_at IS NOT NULL;
