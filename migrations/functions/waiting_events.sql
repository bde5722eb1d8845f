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
