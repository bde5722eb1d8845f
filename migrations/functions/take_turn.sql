-- Gives the caller the turn of a job that only one replica does at a time.
--
-- p_job     the job
-- p_length  how long the turn is, by the clock of the database
-- Result    false if the last turn is not over
--
-- Locks: the row of the job, until the caller has committed.
CREATE OR REPLACE FUNCTION take_turn(p_job text, p_length interval) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_turns (job, ends_at) VALUES (p_job, now() + p_length)
  ON CONFLICT (job) DO UPDATE SET ends_at = EXCLUDED.ends_at
  -- A turn that ends much later was taken before the clock was set back.
  WHERE job_turns.ends_at <= now() OR job_turns.ends_at > EXCLUDED.ends_at + interval '1 minute';
  RETURN FOUND;
END
$$;
