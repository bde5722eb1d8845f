ALTER TRIGGER set_readers ON outbox RENAME TO set_organization;
ALTER FUNCTION set_outbox_readers RENAME TO set_outbox_organization;
DROP FUNCTION creation_fingerprint;
ALTER TABLE outbox DROP COLUMN ancestors;
ALTER TABLE tasks DROP COLUMN creation_fingerprint, DROP COLUMN result_fingerprint;
