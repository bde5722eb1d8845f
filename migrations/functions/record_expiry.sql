-- Records the event that the core would make of an expired attachment. Its id follows from the op of the expired
-- version, so that the event is recorded once, however often the expiry is found.
--
-- expired  the row of the attachment that has expired
--
-- Takes no lock: the caller holds those of the task and of the key.
CREATE OR REPLACE FUNCTION record_expiry(expired task_attachments) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  op uuid := overlay(expired.op_id::text PLACING '8' FROM 15);
BEGIN
  IF is_recorded(op) THEN
    RETURN;
  END IF;
  INSERT INTO outbox_history (op_id, task_id, key, version, kind, event)
  VALUES (op, expired.task_id, expired.key, expired.version + 1, 'attachment', json_build_object(
    'type', 'task.attachment.expired',
    'payload', json_build_object('taskId', expired.task_id, 'key', expired.key, 'attachmentId', expired.id),
    'metadata', json_build_object(
      'expiredAt', to_char(expired.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'eventId', op, 'version', expired.version + 1),
    'timestamp', round(extract(epoch FROM expired.expires_at) * 1000)::bigint));
END
$$;
