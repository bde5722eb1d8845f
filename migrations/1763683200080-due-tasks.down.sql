DROP FUNCTION take_turn, is_tree_finished;
DROP FUNCTION create_task(
  text, text, text, text, smallint, json, text, text, timestamptz, text, timestamptz, text, timestamptz, text,
  timestamptz, text, json, integer, timestamptz, json, json);
DROP TABLE job_turns;
DROP INDEX tasks_by_finish, tasks_by_expiry;
ALTER TABLE tasks DROP COLUMN expires_at;
