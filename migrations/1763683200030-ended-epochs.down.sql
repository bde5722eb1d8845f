DROP TRIGGER note_ended_epoch ON database_identity;
DROP FUNCTION note_ended_epoch;
ALTER TABLE database_identity DROP COLUMN ended_epochs;
