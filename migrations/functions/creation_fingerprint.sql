-- The fingerprint of what a task is created with. A repeated call has the same, whatever has become of the task since.
--
-- p_text … p_puts  as in `create_task`; of the attachments only their keys and values count
-- Result           a SHA-256 hash
--
-- In PL/pgSQL, which keeps the plan of the expression. Takes no lock.
CREATE OR REPLACE FUNCTION creation_fingerprint(
  p_text text, p_priority smallint, p_metadata json, p_parent_id text, p_puts json
) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN sha256(convert_to(json_build_array(p_text, p_priority, p_metadata, p_parent_id, (
    SELECT json_agg(json_build_array(put ->> 'key', put ->> 'value') ORDER BY position)
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position)
  ))::text, 'UTF8'));
END
$$;
