-- Ids and keys sort by their bytes, as Redis sorts them. A tombstone keeps what orders writes, and no data.

-- The counter in every row changes with each new attachment: free space keeps those updates within their page.
CREATE TABLE tasks (
  id               text COLLATE "C" PRIMARY KEY,
  organization     text COLLATE "C",
  text             text,
  status           text CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
  priority         smallint CHECK (priority BETWEEN 0 AND 100),
  metadata         json,
  parent_id        text COLLATE "C" REFERENCES tasks,
  assigned_to      text,
  created_at       timestamptz,
  created_by       text,
  updated_at       timestamptz,
  updated_by       text,
  completed_at     timestamptz,
  completed_by     text,
  cancelled_at     timestamptz,
  cancelled_by     text,
  error            json,
  revision         integer,
  -- Rows of task_attachments that are no tombstones, expired ones included.
  attachment_count integer NOT NULL DEFAULT 0 CHECK (attachment_count >= 0),
  deleted_version  bigint,
  deleted_op       uuid,
  deleted_at       timestamptz,
  CHECK (CASE WHEN deleted_version IS NULL
    THEN num_nulls(organization, text, status, priority, metadata, created_at, created_by, updated_at, revision) = 0
    ELSE num_nonnulls(deleted_op, deleted_at) = 2
      AND num_nonnulls(organization, text, metadata, parent_id, assigned_to, created_by, updated_by, error) = 0
  END)
) WITH (fillfactor = 85);

CREATE INDEX tasks_by_creation ON tasks (organization, created_at, id) WHERE deleted_version IS NULL;
CREATE INDEX tasks_by_update ON tasks (organization, updated_at, id) WHERE deleted_version IS NULL;
CREATE INDEX tasks_by_priority ON tasks (organization, priority, id) WHERE deleted_version IS NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;

-- `json` keeps the text of a value; `jsonb` would reorder its members.
CREATE TABLE task_attachments (
  task_id    text COLLATE "C" NOT NULL REFERENCES tasks,
  key        text COLLATE "C" NOT NULL,
  id         text,
  type       text CHECK (type IN ('json', 'markdown', 'text', 'url', 'binary')),
  value      json,
  content    text,
  url        text,
  mime_type  text,
  size       bigint,
  bytes      integer,
  created_by text,
  created_at timestamptz,
  updated_at timestamptz,
  expires_at timestamptz,
  version    bigint NOT NULL,
  op_id      uuid NOT NULL,
  deleted    boolean NOT NULL,
  PRIMARY KEY (task_id, key),
  CHECK (CASE WHEN deleted
    THEN num_nonnulls(id, type, value, content, url, mime_type, size, bytes, created_by, created_at, updated_at, expires_at) = 0
    ELSE num_nulls(id, type, created_by, created_at, updated_at) = 0
  END)
);

CREATE INDEX task_attachments_by_creation ON task_attachments (task_id, created_at, key) WHERE NOT deleted;
CREATE INDEX task_attachments_by_expiry ON task_attachments (task_id, expires_at) WHERE expires_at IS NOT NULL;
-- The sweep looks for what has expired in all tasks, the purge for tombstones that order no write any more.
CREATE INDEX task_attachments_by_time_to_live ON task_attachments (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX task_attachments_tombstones ON task_attachments (version) WHERE deleted;

-- What is to be announced, and what Redis must be told of. The order of `seq` is, per attachment and per task, the
-- order of the changes.
CREATE TABLE outbox (
  seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  op_id        uuid NOT NULL UNIQUE,
  task_id      text COLLATE "C" NOT NULL,
  key          text COLLATE "C",
  version      bigint,
  -- Whose event it is; null for what is recorded as published, because nobody is to be told.
  organization text COLLATE "C",
  kind         text NOT NULL CHECK (kind IN ('attachment', 'task', 'task_deleted')),
  event        json NOT NULL,
  superseded   boolean NOT NULL DEFAULT false,
  published    boolean NOT NULL DEFAULT false,
  xid          xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at           timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outbox_by_xid ON outbox (xid);
-- Rows lie about in the order of their time.
CREATE INDEX outbox_by_time ON outbox USING brin (at) WITH (autosummarize = on);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE NOT published;

CREATE FUNCTION set_outbox_organization() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  SELECT organization INTO NEW.organization FROM tasks WHERE id = NEW.task_id;
  RETURN NEW;
END
$$;

CREATE TRIGGER set_organization BEFORE INSERT ON outbox
FOR EACH ROW WHEN (NOT NEW.published) EXECUTE FUNCTION set_outbox_organization();
