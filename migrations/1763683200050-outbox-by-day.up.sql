-- The outbox becomes a history that is kept in one table for each day, and what waits to be published. A day is forgotten
-- by dropping its table, and publishing an event changes no row of the history.
--
-- Replicas of the previous release go on working: they call the functions, and for their own statements there is a view
-- `outbox` with the columns of the table. Only what they do to forget old events has no effect.
--
-- The table that is there becomes the first part of the history. That reads it once, while no event can be recorded: about
-- a second for each million rows that are in memory, and as long as the disk takes otherwise; see docs/scaling.md.

LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE;

-- Rows come and go at the ends of this table all the time. Its size tells nothing: it is vacuumed for what has gone.
CREATE TABLE outbox_waiting (
  seq   bigint PRIMARY KEY,
  op_id uuid NOT NULL,
  at    timestamptz NOT NULL
) WITH (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
INSERT INTO outbox_waiting (seq, op_id, at) SELECT seq, op_id, at FROM outbox WHERE NOT published;

CREATE SEQUENCE outbox_seq;
SELECT setval('outbox_seq', nextval(pg_get_serial_sequence('outbox', 'seq')));

DROP TRIGGER set_readers ON outbox;
ALTER TABLE outbox
  DROP COLUMN published,
  -- Recorded for its op alone: nobody is told of it.
  ADD COLUMN unannounced boolean NOT NULL DEFAULT false,
  ALTER COLUMN seq DROP IDENTITY;
ALTER TABLE outbox ALTER COLUMN seq SET DEFAULT nextval('outbox_seq');
ALTER TABLE outbox RENAME TO outbox_earlier;

CREATE TABLE outbox_history (LIKE outbox_earlier INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (at);
ALTER SEQUENCE outbox_seq OWNED BY outbox_history.seq;

-- For what no other part is there for, so that no write fails. The parts of the days are made after it.
CREATE TABLE outbox_default (LIKE outbox_earlier INCLUDING ALL);

DO $$
DECLARE
  ends_at timestamptz := date_trunc('day', now(), 'UTC') + interval '24 hours';
  attach  text := 'ALTER TABLE outbox_history ATTACH PARTITION outbox_earlier FOR VALUES FROM (MINVALUE) TO (%L)';
BEGIN
  EXECUTE format(attach, ends_at);
EXCEPTION WHEN check_violation THEN
  -- The clock of the server was ahead once.
  EXECUTE format(attach, (SELECT date_trunc('day', max(at), 'UTC') + interval '24 hours' FROM outbox_earlier));
END
$$;
ALTER TABLE outbox_history ATTACH PARTITION outbox_default DEFAULT;

-- All of the outbox. A query that does not name `published` reads the history alone.
CREATE VIEW outbox AS
SELECT history.seq, history.op_id, task_id, key, version, organization, kind, event, superseded,
  waiting.seq IS NULL AS published, xid, history.at, ancestors
FROM outbox_history AS history LEFT JOIN outbox_waiting AS waiting ON waiting.seq = history.seq;

-- With the default of a fifth, millions of old versions of rows, and of their values, would lie among those of a large
-- table.
ALTER TABLE tasks SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE task_attachments SET (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);

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

-- Trigger function: notes the rows that a statement has added to the history of the outbox as waiting to be published,
-- but for those that are announced to nobody.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION await_publication() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_waiting (seq, op_id, at) SELECT seq, op_id, at FROM recorded WHERE NOT unannounced;
  RETURN NULL;
END
$$;

-- The parts of the outbox that hold the events of certain days: all but the default one.
--
-- Result, one row for each part:
-- part                the table
-- begins_at, ends_at  it holds the rows from the first to before the second; the first is null if the part has no
--                     beginning
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION outbox_days() RETURNS TABLE (part regclass, begins_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT oid::regclass, (regexp_match(bounds, 'FROM \(''(.+?)''\)'))[1]::timestamptz,
    (regexp_match(bounds, 'TO \(''(.+?)''\)'))[1]::timestamptz
  FROM pg_inherits JOIN pg_class ON oid = inhrelid, pg_get_expr(relpartbound, oid) AS bounds
  WHERE inhparent = 'outbox_history'::regclass AND bounds <> 'DEFAULT'
$$;

-- Creates the parts of the outbox for the days to come, in UTC, if today or one of the next two has none. Until a day has
-- its part, its rows are in the default one, and stay there: then the part begins after them.
--
-- It runs with the rights of the owner of the tables, as only the owner may create parts.
--
-- Locks: replicas that do the same pass each other by. A new part is attached under the exclusive lock of the default
-- part: a reader waits for it, a write does not. The function gives up after a tenth of a second, if a long transaction
-- such as a dump holds the default part, and is to be called again.
CREATE OR REPLACE FUNCTION create_outbox_days() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '100ms' AS $$
DECLARE
  today     timestamptz := date_trunc('day', now(), 'UTC');
  ahead     interval := '72 hours';
  begins_at timestamptz;
  ends_at   timestamptz;
  part      text;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7234017283807667303) THEN
    RETURN;
  END IF;
  begins_at := greatest(today, (SELECT max(days.ends_at) FROM outbox_days() AS days));
  IF begins_at >= today + ahead THEN
    RETURN;
  END IF;
  -- A new part makes PostgreSQL read all of the default one. While that has rows, there are parts for longer than it keeps
  -- them.
  IF EXISTS (SELECT FROM outbox_default) THEN
    ahead := '240 hours';
  END IF;
  WHILE begins_at < today + ahead LOOP
    -- With time for the rows of transactions that are under way.
    begins_at := greatest(begins_at, (
      SELECT greatest(max(at), now()) + interval '1 minute' FROM outbox_default HAVING max(at) >= begins_at));
    ends_at := date_trunc('day', begins_at, 'UTC') + interval '24 hours';
    part := 'outbox_' || to_char(begins_at AT TIME ZONE 'UTC', 'YYYYMMDD');
    -- Rows are added and never changed, and the table is dropped after a few days: a vacuum would only read it again.
    EXECUTE format('CREATE TABLE %I (LIKE outbox_default INCLUDING ALL) WITH (autovacuum_vacuum_insert_threshold = -1)', part);
    EXECUTE format('ALTER TABLE outbox_history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, begins_at, ends_at);
    begins_at := ends_at;
  END LOOP;
END
$$;

-- Forgets events of the outbox that have been published, one part of it at a time: a whole day by dropping its table,
-- which reads none of its rows, or some of the default part.
--
-- p_before  a day is forgotten if it ended before, and none of its events waits to be published
-- p_limit   how many rows of the default part are looked at
-- Result    whether it is to be called again
--
-- It runs with the rights of the owner of the tables, as only the owner may drop them.
--
-- Locks: replicas that do the same pass each other by. A table is dropped under the exclusive lock of the whole outbox,
-- for a moment. The function gives up after a tenth of a second, if a long transaction such as a dump holds the outbox,
-- and is to be called again later: writes and readers queue behind it for that time.
CREATE OR REPLACE FUNCTION purge_outbox(p_before timestamptz, p_limit integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '100ms'
-- A plan for a small default part would be kept when it has grown.
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  day    regclass;
  purged integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7234017283807667303) THEN
    RETURN false;
  END IF;
  SELECT part INTO day FROM outbox_days()
  WHERE ends_at <= p_before AND NOT EXISTS (
    SELECT FROM outbox_waiting WHERE at < ends_at AND (at >= begins_at OR begins_at IS NULL))
  ORDER BY ends_at LIMIT 1;
  IF FOUND THEN
    EXECUTE format('DROP TABLE %s', day);
    RETURN true;
  END IF;

  -- Only the first rows are looked at, so that rows which must stay are not read again and again.
  WITH first AS MATERIALIZED (
    SELECT seq, at FROM outbox_default ORDER BY seq LIMIT p_limit
  )
  DELETE FROM outbox_default WHERE seq IN (
    SELECT seq FROM first WHERE at < p_before AND NOT EXISTS (
      SELECT FROM outbox_waiting AS waiting WHERE waiting.seq = first.seq));
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged = p_limit;
END
$$;

-- Begins a new epoch in the history of the database: transaction ids of earlier epochs are not compared with later ones.
-- Sets the sequence of the outbox above its rows, as after logical replication it may lag behind them.
--
-- p_after  the epoch that ends. If it has ended already, nothing is done: another replica was faster
--
-- Locks: replicas that do the same wait for each other; no row of the outbox is recorded meanwhile, so that each row is
-- of one epoch, by its `seq`. A caller holds no other lock.
CREATE OR REPLACE FUNCTION begin_epoch(p_after uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  sequence regclass := pg_get_serial_sequence('outbox_history', 'seq')::regclass;
BEGIN
  PERFORM pg_advisory_xact_lock(7234017283807667302);
  PERFORM FROM database_identity WHERE epoch = p_after;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  LOCK TABLE outbox_history IN SHARE ROW EXCLUSIVE MODE;
  PERFORM setval(sequence, greatest(nextval(sequence), (SELECT max(seq) FROM outbox_history)));
  UPDATE database_identity
  SET epoch = gen_random_uuid(), first_seq = nextval(sequence), server = present_server(), began_at = now();
END
$$;

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

-- Writes one version of one attachment, or its tombstone, and the event of the write.
--
-- p_task_id … p_op_id  the row to write; of a deletion, `p_id` and what describes a body are null
-- p_deleted            whether to write a tombstone
-- p_event              the event as the core drafted it, as if the key were new
-- p_organization       a task of another organization counts as missing
-- p_mode               direct
--                      force: a deletion is also written if the attachment is expired, deleted or not there, so that no
--                      older write can come back
--                      drain: as force, for a write from the journal, which is acknowledged already. No limit refuses
--                      it, it is applied if it is found stored, and its event is recorded even if it comes too late
-- p_if_absent, p_if_version
--                      the caller's condition; p_if_version is null if there is none
-- p_journaled          what the journal holds under the key and the database may not have yet; null if nothing is known.
--                      {version}, and of a put also {id, created_at, created_by, expires_at}. If it is newer than the
--                      stored row, the write is judged by it
-- p_now                decides what is expired
-- p_max_attachments    how many live attachments the task may have
--
-- Result, one row:
-- state                applied; task-missing; condition-failed; superseded; attachment-missing; task-full
-- stored_version       of condition-failed, the version of the live attachment, if there is one; of superseded, the
--                      stored version, which is not lower
-- id, created_at, created_by
--                      of the attachment that is there now, or that was deleted; null if there was none to delete
-- replaced             whether a live attachment was there before
--
-- If the write replaces an attachment that has expired and was not swept yet, its expiry is recorded first.
--
-- Locks: the task (shared), the key, the task's row to count; see "The order of locks" in task_lock.sql.
CREATE OR REPLACE FUNCTION write_attachment(
  p_task_id text, p_key text, p_deleted boolean, p_id text, p_type text, p_value json, p_content text, p_url text,
  p_mime_type text, p_size bigint, p_bytes integer, p_created_by text, p_created_at timestamptz,
  p_updated_at timestamptz, p_expires_at timestamptz, p_version bigint, p_op_id uuid, p_event json,
  p_journaled json, p_organization text, p_mode text, p_if_absent boolean, p_if_version bigint, p_now timestamptz,
  p_max_attachments integer
) RETURNS TABLE (
  state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  stored       task_attachments;
  standing     task_attachments;
  is_journaled boolean;
  counted      boolean;
  live         boolean;
BEGIN
  -- Twice: nothing is locked for a caller who has no such task, and under the lock the task stays.
  PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_task_id));
    PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  END IF;
  IF NOT FOUND THEN
    IF p_mode = 'drain' THEN
      -- Nothing of a task is announced after its deletion.
      PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
      IF NOT is_recorded(p_op_id) THEN
        INSERT INTO outbox_history (op_id, task_id, key, version, kind, event, superseded, unannounced)
        VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', p_event, true, true);
      END IF;
    END IF;
    state := 'task-missing';
    RETURN NEXT;
    RETURN;
  END IF;

  PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
  SELECT a.* INTO stored
  FROM task_attachments a WHERE a.task_id = p_task_id AND a.key = p_key;
  counted := FOUND AND NOT stored.deleted;
  standing := stored;
  is_journaled := coalesce((p_journaled ->> 'version')::bigint > coalesce(stored.version, 0), false);
  IF is_journaled THEN
    standing := json_populate_record(NULL::task_attachments, p_journaled);
  END IF;
  live := standing.id IS NOT NULL AND (standing.expires_at IS NULL OR standing.expires_at > p_now);

  IF p_mode = 'drain' AND stored.op_id = p_op_id THEN
    -- An earlier drain has applied the write, or a call that was given up and took effect later. Its event is recorded.
    state := 'applied';
    id := stored.id;
    created_at := stored.created_at;
    created_by := stored.created_by;
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_if_absent AND live OR p_if_version IS NOT NULL AND (NOT live OR standing.version <> p_if_version) THEN
    state := 'condition-failed';
    stored_version := CASE WHEN live THEN standing.version END;
  ELSIF p_deleted AND NOT live AND p_mode = 'direct' THEN
    state := 'attachment-missing';
  ELSIF standing.version >= p_version THEN
    state := 'superseded';
    stored_version := standing.version;
  ELSIF p_deleted THEN
    state := 'applied';
    UPDATE tasks SET attachment_count = attachment_count - 1 WHERE id = p_task_id AND counted;
  ELSIF live AND counted THEN
    state := 'applied';
  ELSE
    -- What is journaled counts against no limit: it is acknowledged.
    UPDATE tasks SET attachment_count = attachment_count + CASE WHEN counted THEN 0 ELSE 1 END
    WHERE id = p_task_id AND (attachment_count < p_max_attachments OR p_mode = 'drain' OR live
      OR is_journaled AND counted OR attachment_count - (
      SELECT count(*) FROM task_attachments a WHERE a.task_id = p_task_id AND a.expires_at <= p_now
    ) < p_max_attachments);
    state := CASE WHEN FOUND THEN 'applied' ELSE 'task-full' END;
  END IF;

  replaced := live;
  id := CASE WHEN live THEN standing.id ELSE p_id END;
  created_at := CASE WHEN live THEN standing.created_at ELSE p_created_at END;
  created_by := CASE WHEN live THEN standing.created_by ELSE p_created_by END;

  IF state = 'applied' AND counted AND stored.expires_at <= p_now THEN
    PERFORM record_expiry(stored);
  END IF;

  IF state = 'applied' AND p_deleted THEN
    INSERT INTO task_attachments (task_id, key, version, op_id, deleted)
    VALUES (p_task_id, p_key, p_version, p_op_id, true)
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = NULL, type = NULL, value = NULL, content = NULL, url = NULL, mime_type = NULL, size = NULL, bytes = NULL,
      created_by = NULL, created_at = NULL, updated_at = NULL, expires_at = NULL,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = true;
  ELSIF state = 'applied' THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    VALUES (p_task_id, p_key, write_attachment.id, p_type, p_value, p_content, p_url, p_mime_type, p_size, p_bytes,
      write_attachment.created_by, write_attachment.created_at, p_updated_at, p_expires_at, p_version, p_op_id, false)
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = EXCLUDED.id, type = EXCLUDED.type, value = EXCLUDED.value, content = EXCLUDED.content, url = EXCLUDED.url,
      mime_type = EXCLUDED.mime_type, size = EXCLUDED.size, bytes = EXCLUDED.bytes, created_by = EXCLUDED.created_by,
      created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at, expires_at = EXCLUDED.expires_at,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = false;
  END IF;

  IF state = 'applied' OR state = 'superseded' AND p_mode = 'drain' THEN
    -- Readers of events rely on it that a transaction has its number before its rows get theirs.
    PERFORM pg_current_xact_id();
    -- Only an entry of the journal can come twice with one op: any other attempt finds its own version stored.
    IF p_mode <> 'drain' OR NOT is_recorded(p_op_id) THEN
      INSERT INTO outbox_history (op_id, task_id, key, version, kind, superseded, event)
      VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', state = 'superseded',
        CASE WHEN state = 'applied' AND live THEN event_of_stored(p_event, standing.id) ELSE p_event END);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;

-- Retired: release 0.2.0 drops it, when no replica is left that calls it.
--
-- Writes one version of one attachment, or its tombstone, and the event of the write.
--
-- p_task_id … p_op_id  the row to write; of a deletion, `p_id` and what describes a body are null
-- p_deleted            whether to write a tombstone
-- p_event              the event as the core drafted it, as if the key were new
-- p_organization       a task of another organization counts as missing
-- p_mode               direct
--                      force: a deletion is also written if the attachment is expired, deleted or not there, so that no
--                      older write can come back
--                      drain: as force, for a write from the journal, which is acknowledged already. No limit refuses
--                      it, it is applied if it is found stored, and its event is recorded even if it comes too late
-- p_if_absent, p_if_version
--                      the caller's condition; p_if_version is null if there is none
-- p_now                decides what is expired
-- p_max_attachments    how many live attachments the task may have
--
-- Result, one row:
-- state                applied; task-missing; condition-failed; superseded; attachment-missing; task-full
-- stored_version       of condition-failed, the version of the live attachment, if there is one; of superseded, the
--                      stored version, which is not lower
-- id, created_at, created_by
--                      of the attachment that is there now, or that was deleted; null if there was none to delete
-- replaced             whether a live attachment was there before
--
-- If the write replaces an attachment that has expired and was not swept yet, its expiry is recorded first.
--
-- Locks: the task (shared), the key, the task's row to count; see "The order of locks" in task_lock.sql.
CREATE OR REPLACE FUNCTION write_attachment(
  p_task_id text, p_key text, p_deleted boolean, p_id text, p_type text, p_value json, p_content text, p_url text,
  p_mime_type text, p_size bigint, p_bytes integer, p_created_by text, p_created_at timestamptz,
  p_updated_at timestamptz, p_expires_at timestamptz, p_version bigint, p_op_id uuid, p_event json,
  p_organization text, p_mode text, p_if_absent boolean, p_if_version bigint, p_now timestamptz, p_max_attachments integer
) RETURNS TABLE (
  state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  stored  task_attachments;
  counted boolean;
  live    boolean;
BEGIN
  -- Twice: nothing is locked for a caller who has no such task, and under the lock the task stays.
  PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_task_id));
    PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  END IF;
  IF NOT FOUND THEN
    IF p_mode = 'drain' THEN
      -- Nothing of a task is announced after its deletion.
      PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
      IF NOT is_recorded(p_op_id) THEN
        INSERT INTO outbox_history (op_id, task_id, key, version, kind, event, superseded, unannounced)
        VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', p_event, true, true);
      END IF;
    END IF;
    state := 'task-missing';
    RETURN NEXT;
    RETURN;
  END IF;

  PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
  SELECT a.* INTO stored
  FROM task_attachments a WHERE a.task_id = p_task_id AND a.key = p_key;
  counted := FOUND AND NOT stored.deleted;
  live := counted AND (stored.expires_at IS NULL OR stored.expires_at > p_now);

  IF p_mode = 'drain' AND stored.op_id = p_op_id THEN
    -- An earlier drain has applied the write, or a call that was given up and took effect later. Its event is recorded.
    state := 'applied';
    id := stored.id;
    created_at := stored.created_at;
    created_by := stored.created_by;
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_if_absent AND live OR p_if_version IS NOT NULL AND (NOT live OR stored.version <> p_if_version) THEN
    state := 'condition-failed';
    stored_version := CASE WHEN live THEN stored.version END;
  ELSIF p_deleted AND NOT live AND p_mode = 'direct' THEN
    state := 'attachment-missing';
  ELSIF stored.version >= p_version THEN
    state := 'superseded';
    stored_version := stored.version;
  ELSIF p_deleted THEN
    state := 'applied';
    UPDATE tasks SET attachment_count = attachment_count - 1 WHERE id = p_task_id AND counted;
  ELSIF live THEN
    state := 'applied';
  ELSE
    UPDATE tasks SET attachment_count = attachment_count + CASE WHEN counted THEN 0 ELSE 1 END
    WHERE id = p_task_id AND (attachment_count < p_max_attachments OR p_mode = 'drain' OR attachment_count - (
      SELECT count(*) FROM task_attachments a WHERE a.task_id = p_task_id AND a.expires_at <= p_now
    ) < p_max_attachments);
    state := CASE WHEN FOUND THEN 'applied' ELSE 'task-full' END;
  END IF;

  replaced := live;
  id := CASE WHEN live THEN stored.id ELSE p_id END;
  created_at := CASE WHEN live THEN stored.created_at ELSE p_created_at END;
  created_by := CASE WHEN live THEN stored.created_by ELSE p_created_by END;

  IF state = 'applied' AND counted AND NOT live THEN
    PERFORM record_expiry(stored);
  END IF;

  IF state = 'applied' AND p_deleted THEN
    INSERT INTO task_attachments (task_id, key, version, op_id, deleted)
    VALUES (p_task_id, p_key, p_version, p_op_id, true)
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = NULL, type = NULL, value = NULL, content = NULL, url = NULL, mime_type = NULL, size = NULL, bytes = NULL,
      created_by = NULL, created_at = NULL, updated_at = NULL, expires_at = NULL,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = true;
  ELSIF state = 'applied' THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    VALUES (p_task_id, p_key, write_attachment.id, p_type, p_value, p_content, p_url, p_mime_type, p_size, p_bytes,
      write_attachment.created_by, write_attachment.created_at, p_updated_at, p_expires_at, p_version, p_op_id, false)
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = EXCLUDED.id, type = EXCLUDED.type, value = EXCLUDED.value, content = EXCLUDED.content, url = EXCLUDED.url,
      mime_type = EXCLUDED.mime_type, size = EXCLUDED.size, bytes = EXCLUDED.bytes, created_by = EXCLUDED.created_by,
      created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at, expires_at = EXCLUDED.expires_at,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = false;
  END IF;

  IF state = 'applied' OR state = 'superseded' AND p_mode = 'drain' THEN
    -- Readers of events rely on it that a transaction has its number before its rows get theirs.
    PERFORM pg_current_xact_id();
    -- Only an entry of the journal can come twice with one op: any other attempt finds its own version stored.
    IF p_mode <> 'drain' OR NOT is_recorded(p_op_id) THEN
      INSERT INTO outbox_history (op_id, task_id, key, version, kind, superseded, event)
      VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', state = 'superseded',
        CASE WHEN state = 'applied' AND live THEN event_of_stored(p_event, stored.id) ELSE p_event END);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;

-- Writes many entries of the journal in one transaction: all of them, or none if one fails.
--
-- p_writes  an array of the entries, those of one key in their order: members named as the parameters of
--           `write_attachment`, without the prefix; `value` is a string that holds the JSON text, times are in ISO 8601,
--           and `now` is the time of the event
--
-- Result, one row for each entry that could be written now:
-- position  of the entry in the array, from 1
-- the other columns  those of `write_attachment`. There is no row for an entry whose task another transaction holds
--
-- Most entries are puts under keys that the database has never seen. Nothing stands in their way, so they are inserted
-- together; all others are written by `write_attachment`.
--
-- Locks: those of `write_attachment`, of all entries, kind by kind. It does not wait for a task: a deletion that locks a
-- tree might wait in turn for another task of this batch. The keys are locked in the order of their locks and the rows
-- of the tasks in the order of their ids, so that two batches cannot wait for each other.
CREATE OR REPLACE FUNCTION drain_attachments(p_writes json) RETURNS TABLE (
  "position" bigint, state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  free  text[];
  fresh bigint[];
BEGIN
  -- No lock is taken for a caller who has no such task.
  SELECT array_agg(task_id) INTO free FROM (
    SELECT DISTINCT entry ->> 'task_id' AS task_id, tasks.id IS NOT NULL AS is_there
    FROM json_array_elements(p_writes) AS entries(entry) LEFT JOIN tasks
      ON tasks.id = entry ->> 'task_id' AND tasks.organization = entry ->> 'organization' AND deleted_version IS NULL
  ) AS tasks
  WHERE CASE WHEN is_there THEN pg_try_advisory_xact_lock_shared(task_lock(task_id)) ELSE true END;

  PERFORM pg_advisory_xact_lock(lock) FROM (
    SELECT DISTINCT key_lock(entry ->> 'task_id', entry ->> 'key') AS lock
    FROM json_array_elements(p_writes) AS entries(entry) WHERE entry ->> 'task_id' = ANY (free) ORDER BY lock
  ) AS keys;

  PERFORM FROM tasks WHERE id = ANY (free) ORDER BY id FOR NO KEY UPDATE;

  -- Readers of events rely on it that a transaction has its number before its rows get theirs.
  PERFORM pg_current_xact_id();

  WITH entries AS MATERIALIZED (
    SELECT *, count(*) OVER (PARTITION BY task_id, key) AS of_key
    FROM ROWS FROM (json_to_recordset(p_writes) AS (
      organization text, task_id text, key text, deleted boolean, id text, type text, value text, content text, url text,
      mime_type text, size bigint, bytes integer, created_by text, created_at timestamptz, updated_at timestamptz,
      expires_at timestamptz, version bigint, op_id uuid, event json
    )) WITH ORDINALITY AS entries(organization, task_id, key, deleted, id, type, value, content, url, mime_type, size,
      bytes, created_by, created_at, updated_at, expires_at, version, op_id, event, position)
  ), alone AS MATERIALIZED (
    SELECT entries.* FROM entries
    JOIN tasks ON tasks.id = task_id AND tasks.organization = entries.organization AND deleted_version IS NULL
    WHERE task_id = ANY (free) AND NOT deleted AND of_key = 1 AND NOT EXISTS (
      SELECT FROM task_attachments AS stored WHERE stored.task_id = entries.task_id AND stored.key = entries.key)
  ), written AS (
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT task_id, key, id, type, value::json, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, false
    FROM alone
  ), counted AS (
    UPDATE tasks SET attachment_count = attachment_count + added
    FROM (SELECT task_id, count(*) AS added FROM alone GROUP BY task_id) AS additions WHERE tasks.id = task_id
  ), recorded AS (
    INSERT INTO outbox_history (op_id, task_id, key, version, kind, event)
    SELECT op_id, task_id, key, version, 'attachment', event FROM alone
    -- As `is_recorded`, for all at once.
    WHERE NOT EXISTS (SELECT FROM outbox_history AS recorded WHERE recorded.op_id = alone.op_id)
    ORDER BY position
  )
  SELECT array_agg(position) INTO fresh FROM alone;

  RETURN QUERY SELECT entries.position, written.*
  FROM (
    SELECT * FROM ROWS FROM (json_to_recordset(p_writes) AS (
      organization text, task_id text, key text, deleted boolean, id text, type text, value text, content text, url text,
      mime_type text, size bigint, bytes integer, created_by text, created_at timestamptz, updated_at timestamptz,
      expires_at timestamptz, version bigint, op_id uuid, event json, now timestamptz
    )) WITH ORDINALITY AS entries(organization, task_id, key, deleted, id, type, value, content, url, mime_type, size,
      bytes, created_by, created_at, updated_at, expires_at, version, op_id, event, now, position)
    WHERE task_id = ANY (free) AND position <> ALL (coalesce(fresh, '{}')) ORDER BY position
  ) AS entries, write_attachment(
    p_task_id => entries.task_id, p_key => entries.key, p_deleted => entries.deleted, p_id => entries.id,
    p_type => entries.type, p_value => entries.value::json, p_content => entries.content, p_url => entries.url,
    p_mime_type => entries.mime_type, p_size => entries.size, p_bytes => entries.bytes,
    p_created_by => entries.created_by, p_created_at => entries.created_at, p_updated_at => entries.updated_at,
    p_expires_at => entries.expires_at, p_version => entries.version, p_op_id => entries.op_id,
    p_event => entries.event, p_journaled => NULL, p_organization => entries.organization, p_mode => 'drain',
    p_if_absent => false, p_if_version => NULL, p_now => entries.now, p_max_attachments => 0) AS written;

  RETURN QUERY SELECT entries.position, 'applied', NULL::bigint, entries.id, entries.created_at, entries.created_by, false
  FROM ROWS FROM (json_to_recordset(p_writes) AS (id text, created_at timestamptz, created_by text))
    WITH ORDINALITY AS entries(id, created_at, created_by, position)
  WHERE position = ANY (fresh);
END
$$;

-- Inserts a task with its first attachments, and records their events. Keeps a fingerprint of what the task was created
-- with, by which a repeated call is recognised.
--
-- p_id … p_revision  the row to insert
-- p_event            the event of the task; its `metadata.eventId` becomes the op
-- p_puts             an array of the first attachments: members named as their columns, times in ISO 8601, `value` a
--                    string that holds the JSON text, and `event`
-- Result             inserted; parent-missing; id-taken
--
-- Locks: the parent task (shared), so that it is not deleted until the sub-task is there. The new task needs no lock:
-- no other transaction sees it, and the primary key stops a second one with its id.
CREATE OR REPLACE FUNCTION create_task(
  p_id text, p_organization text, p_text text, p_status text, p_priority smallint, p_metadata json, p_parent_id text,
  p_assigned_to text, p_created_at timestamptz, p_created_by text, p_updated_at timestamptz, p_updated_by text,
  p_completed_at timestamptz, p_completed_by text, p_cancelled_at timestamptz, p_cancelled_by text, p_error json,
  p_revision integer, p_event json, p_puts json
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  IF p_parent_id IS NOT NULL THEN
    -- Twice: nothing is locked for a caller who has no such task, and under the lock the task stays.
    PERFORM FROM tasks WHERE id = p_parent_id AND organization = p_organization AND deleted_version IS NULL;
    IF FOUND THEN
      PERFORM pg_advisory_xact_lock_shared(task_lock(p_parent_id));
      PERFORM FROM tasks WHERE id = p_parent_id AND organization = p_organization AND deleted_version IS NULL;
    END IF;
    IF NOT FOUND THEN
      RETURN 'parent-missing';
    END IF;
  END IF;

  INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, assigned_to, created_at, created_by,
    updated_at, updated_by, completed_at, completed_by, cancelled_at, cancelled_by, error, revision, attachment_count,
    creation_fingerprint)
  VALUES (p_id, p_organization, p_text, p_status, p_priority, p_metadata, p_parent_id, p_assigned_to, p_created_at,
    p_created_by, p_updated_at, p_updated_by, p_completed_at, p_completed_by, p_cancelled_at, p_cancelled_by, p_error,
    p_revision, json_array_length(p_puts), creation_fingerprint(p_text, p_priority, p_metadata, p_parent_id, p_puts))
  ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN 'id-taken';
  END IF;

  INSERT INTO outbox_history (op_id, task_id, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, 'task', p_event);

  IF json_array_length(p_puts) > 0 THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT p_id, key, id, type, value::json, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, false
    FROM json_to_recordset(p_puts) AS put(
      key text, id text, type text, value text, content text, url text, mime_type text, size bigint, bytes integer,
      created_by text, created_at timestamptz, updated_at timestamptz, expires_at timestamptz, version bigint, op_id uuid);

    INSERT INTO outbox_history (op_id, task_id, key, version, kind, event)
    SELECT (put ->> 'op_id')::uuid, p_id, put ->> 'key', (put ->> 'version')::bigint, 'attachment', put -> 'event'
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position) ORDER BY position;
  END IF;
  RETURN 'inserted';
END
$$;

-- Replaces a task by its next revision, together with one attachment if there is one, and records their events. Keeps a
-- fingerprint of the attachment's value, by which a repeated completion is recognised.
--
-- p_id … p_revision  the row to store; what never changes (parent, creation) is ignored
-- p_event            the event of the task; its `metadata.eventId` becomes the op
-- p_put              null, or one element of what `create_task` takes
-- p_max_attachments  how many live attachments the task may have
--
-- Result, one row:
-- state              stale: the task is not there in the revision before `p_revision`; updated; or the state in which
--                    `write_attachment` refused the attachment, and then nothing is changed
-- the other columns  those of `write_attachment`; null without an attachment
--
-- Locks: the task (shared), the key, the task's row to change it; see "The order of locks" in task_lock.sql. Without an
-- attachment the row's lock is enough: a deletion takes it as well, and a deleted task is stale.
CREATE OR REPLACE FUNCTION update_task(
  p_id text, p_organization text, p_text text, p_status text, p_priority smallint, p_metadata json, p_parent_id text,
  p_assigned_to text, p_created_at timestamptz, p_created_by text, p_updated_at timestamptz, p_updated_by text,
  p_completed_at timestamptz, p_completed_by text, p_cancelled_at timestamptz, p_cancelled_by text, p_error json,
  p_revision integer, p_event json, p_put json, p_max_attachments integer
) RETURNS TABLE (
  state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM tasks WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  -- Nothing is locked for a caller who has no such task.
  IF FOUND AND p_put IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_id));
    PERFORM pg_advisory_xact_lock(key_lock(p_id, p_put ->> 'key'));
  END IF;
  PERFORM FROM tasks
  WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL AND revision = p_revision - 1
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    state := 'stale';
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_put IS NOT NULL THEN
    SELECT written.* INTO state, stored_version, id, created_at, created_by, replaced
    FROM json_to_record(p_put) AS put(
      key text, id text, type text, value text, content text, url text, mime_type text, size bigint, bytes integer,
      created_by text, created_at timestamptz, updated_at timestamptz, expires_at timestamptz, version bigint,
      op_id uuid, event json),
    write_attachment(
      p_task_id => p_id, p_key => put.key, p_deleted => false, p_id => put.id, p_type => put.type,
      p_value => put.value::json, p_content => put.content, p_url => put.url, p_mime_type => put.mime_type,
      p_size => put.size, p_bytes => put.bytes, p_created_by => put.created_by, p_created_at => put.created_at,
      p_updated_at => put.updated_at, p_expires_at => put.expires_at, p_version => put.version, p_op_id => put.op_id,
      p_event => put.event, p_journaled => NULL, p_organization => p_organization, p_mode => 'direct',
      p_if_absent => false, p_if_version => NULL, p_now => p_updated_at, p_max_attachments => p_max_attachments) AS written;
    IF state <> 'applied' THEN
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

  UPDATE tasks SET
    text = p_text, status = p_status, priority = p_priority, metadata = p_metadata, assigned_to = p_assigned_to,
    updated_at = p_updated_at, updated_by = p_updated_by, completed_at = p_completed_at, completed_by = p_completed_by,
    cancelled_at = p_cancelled_at, cancelled_by = p_cancelled_by, error = p_error, revision = p_revision,
    result_fingerprint = coalesce(sha256(convert_to(p_put ->> 'value', 'UTF8')), result_fingerprint)
  WHERE id = p_id;
  INSERT INTO outbox_history (op_id, task_id, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, 'task', p_event);
  state := 'updated';
  RETURN NEXT;
END
$$;

-- Replaces locked tasks by tombstones, deletes their attachments, and records their events in the order given.
--
-- p_deletions  an array of {task_id, version, op_id, events}; the event whose id is `op_id` announces the deletion, the
--              others are recorded as events of the task
--
-- Takes no lock of its own: the caller holds those of `lock_task_tree`.
CREATE OR REPLACE FUNCTION delete_tasks(p_deletions json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_history (op_id, task_id, version, kind, event)
  SELECT event_id, task_id, CASE WHEN event_id = op_id THEN version END,
    CASE WHEN event_id = op_id THEN 'task_deleted' ELSE 'task' END, event
  FROM (
    SELECT (event #>> '{metadata,eventId}')::uuid AS event_id, (deletion ->> 'op_id')::uuid AS op_id,
      deletion ->> 'task_id' AS task_id, (deletion ->> 'version')::bigint AS version, event, nth_task, nth_event
    FROM json_array_elements(p_deletions) WITH ORDINALITY AS deletions(deletion, nth_task),
      json_array_elements(deletion -> 'events') WITH ORDINALITY AS events(event, nth_event)
  ) AS events
  ORDER BY nth_task, nth_event;

  DELETE FROM task_attachments USING json_to_recordset(p_deletions) AS deletions(task_id text)
  WHERE task_attachments.task_id = deletions.task_id;

  UPDATE tasks SET
    organization = NULL, text = NULL, status = NULL, priority = NULL, metadata = NULL, parent_id = NULL,
    assigned_to = NULL, created_at = NULL, created_by = NULL, updated_at = NULL, updated_by = NULL, completed_at = NULL,
    completed_by = NULL, cancelled_at = NULL, cancelled_by = NULL, error = NULL, revision = NULL, attachment_count = 0,
    creation_fingerprint = NULL, result_fingerprint = NULL,
    deleted_version = deletions.version, deleted_op = deletions.op_id, deleted_at = now()
  FROM json_to_recordset(p_deletions) AS deletions(task_id text, version bigint, op_id uuid)
  WHERE tasks.id = deletions.task_id;
END
$$;

-- Retired: release 0.2.0 drops it, when no replica is left that changes the view `outbox`.
--
-- Trigger function: what a replica of the previous release does to the outbox as if it were a table. It marks rows as
-- published, and deletes old ones, which is not done: newer replicas drop the tables of whole days.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION change_outbox() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RETURN NULL;
  END IF;
  DELETE FROM outbox_waiting WHERE seq = OLD.seq AND op_id = OLD.op_id AND NEW.published;
  RETURN NEW;
END
$$;

-- Anyone may call a new function. These two act for the owner.
REVOKE EXECUTE ON FUNCTION create_outbox_days(), purge_outbox(timestamptz, integer) FROM PUBLIC;

CREATE TRIGGER set_readers BEFORE INSERT ON outbox_history
FOR EACH ROW WHEN (NOT NEW.unannounced) EXECUTE FUNCTION set_outbox_readers();

CREATE TRIGGER await_publication AFTER INSERT ON outbox_history
REFERENCING NEW TABLE AS recorded FOR EACH STATEMENT EXECUTE FUNCTION await_publication();

CREATE TRIGGER change_outbox INSTEAD OF UPDATE OR DELETE ON outbox
FOR EACH ROW EXECUTE FUNCTION change_outbox();

SELECT create_outbox_days();
