-- The event of a write that found a live attachment under its key.
--
-- p_event          the event as the core drafted it, as if the key were new
-- p_attachment_id  the id of the attachment that was found
-- Result           the event with that id, and with `replaced` true if it has this member
--
-- Takes no lock. STABLE, as what it calls: otherwise it is not inlined, and its call is a tenth of the cost of a put.
CREATE OR REPLACE FUNCTION event_of_stored(p_event json, p_attachment_id text) RETURNS json
LANGUAGE sql STABLE AS $$
  SELECT jsonb_set(
    jsonb_set(p_event::jsonb, '{payload,attachmentId}', to_jsonb(p_attachment_id)),
    '{metadata,replaced}', 'true', create_if_missing => false)::json
$$;
