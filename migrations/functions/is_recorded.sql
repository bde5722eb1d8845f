-- Whether the outbox has a row with the op. The rows of different days are in different tables, and an index of one
-- table cannot tell what is in another: so the function that records asks first.
--
-- p_op_id  the op
--
-- Takes no lock: the caller holds that of the key, so that no other transaction records the op at the same time.
CREATE OR REPLACE FUNCTION is_recorded(p_op_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM outbox_history WHERE op_id = p_op_id);
END
$$;
