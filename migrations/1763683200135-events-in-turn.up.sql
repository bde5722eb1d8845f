-- Events wait to be published by organisation, so that a publisher finds those of each among any number of another one's.
--
-- Nobody can record meanwhile: who waits for the lock notes its events as below. What waits is looked up in the history,
-- event by event: about two seconds for each hundred thousand, if NATS was away for long.
LOCK TABLE outbox_history IN SHARE ROW EXCLUSIVE MODE;

ALTER TABLE outbox_waiting ADD COLUMN organization text COLLATE "C" NOT NULL DEFAULT '';
UPDATE outbox_waiting AS waiting SET organization = coalesce((
  SELECT coalesce(organization, task_id) FROM outbox_history AS history
  WHERE history.seq = waiting.seq AND history.at = waiting.at LIMIT 1
), '');
CREATE INDEX outbox_waiting_by_organization ON outbox_waiting (organization, seq);

-- Trigger function: notes the rows that a statement has added to the history of the outbox as waiting to be published,
-- but for those that are not announced. They wait by organisation, and those of a task that is not there by the task.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION await_publication() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_waiting (seq, op_id, at, organization)
  SELECT seq, op_id, at, coalesce(organization, task_id) FROM recorded WHERE NOT unannounced;
  RETURN NULL;
END
$$;

-- Events that wait to be published, in the order of `seq`: the oldest of each organisation.
--
-- p_limit  how many; each organisation has an equal part of them
-- p_after  of more organisations than have a part, at most 64, those behind this one are served first; '' for the first call
--
-- Result, one row for each event:
-- seq, task_id, event, trace  as they were recorded
-- served_to                   `p_after` of the next call
--
-- One plan, which reads by indexes only, whatever the planner knows: the table is empty most of the time, and a plan of then
-- would read all that waits, again and again. With the sort of the result it looks dear enough to be compiled, which would
-- take longer than it does.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION waiting_events(p_limit integer, p_after text) RETURNS TABLE (
  seq bigint, task_id text, event json, trace json, served_to text
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET jit = off AS $$
DECLARE
  served   text[] := '{}';
  latest   text COLLATE "C" := p_after;
  next     text COLLATE "C";
  is_again boolean := false;
BEGIN
  WHILE cardinality(served) < least(p_limit, 64) LOOP
    next := (SELECT organization FROM outbox_waiting WHERE organization > latest ORDER BY organization LIMIT 1);
    IF next IS NULL AND NOT is_again THEN
      is_again := true;
      latest := '';
      CONTINUE;
    END IF;
    EXIT WHEN next IS NULL OR is_again AND next > p_after;
    served := served || next;
    latest := next;
  END LOOP;
  IF served = '{}' THEN
    RETURN;
  END IF;

  RETURN QUERY
  SELECT oldest.seq, history.task_id, history.event, history.trace, served[cardinality(served)]
  FROM unnest(served) AS one CROSS JOIN LATERAL (
    SELECT waiting.seq, at FROM outbox_waiting AS waiting WHERE organization = one ORDER BY waiting.seq
    LIMIT p_limit / cardinality(served)
  ) AS oldest CROSS JOIN LATERAL (
    -- By the time as well, which tells in which part of the history the event is. The order can only be that of the
    -- primary key: while a part is empty, any other index that has the number looks as good, and would be read as a whole.
    SELECT found.task_id, found.event, found.trace FROM outbox_history AS found
    WHERE found.seq >= oldest.seq AND found.seq <= oldest.seq AND found.at = oldest.at
    ORDER BY found.seq LIMIT 1
  ) AS history
  ORDER BY oldest.seq;
END
$$;
