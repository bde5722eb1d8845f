import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { Redis } from 'ioredis';
import { Pool } from 'pg';

export interface BareRef {
  readonly taskId: string;
  readonly key: string;
}

export interface BarePut extends BareRef {
  readonly value: unknown;
}

/** The minimum that a store must do for each method. */
export interface BareStores {
  get(ref: BareRef): Promise<unknown>;
  list(taskId: string, offset: number, limit: number): Promise<unknown>;
  getAll(refs: readonly BareRef[]): Promise<unknown>;
  put(put: BarePut): Promise<unknown>;
}

const POOL_SIZE = 16;

/** The same columns and indexes as those of the service. */
const TABLE = `
  CREATE TABLE bare_attachments (
    task_id text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, id text, type text, value json, content text,
    url text, mime_type text, size bigint, bytes integer, created_by text, created_at timestamptz,
    updated_at timestamptz, expires_at timestamptz, version bigint NOT NULL, op_id uuid NOT NULL,
    deleted boolean NOT NULL, PRIMARY KEY (task_id, key)
  );
  CREATE INDEX ON bare_attachments (task_id, created_at, key) WHERE NOT deleted;
  CREATE INDEX ON bare_attachments (task_id, expires_at) WHERE expires_at IS NOT NULL`;

const UPSERT = `
  INSERT INTO bare_attachments
    (task_id, key, id, type, value, bytes, created_by, created_at, updated_at, version, op_id, deleted)
  VALUES ($1, $2, $3, 'json', $4, $5, 'bare', now(), now(), $6, gen_random_uuid(), false)
  ON CONFLICT (task_id, key) DO UPDATE SET
    value = EXCLUDED.value, bytes = EXCLUDED.bytes, updated_at = EXCLUDED.updated_at, version = EXCLUDED.version,
    op_id = EXCLUDED.op_id
  RETURNING id, created_at, updated_at, version`;

interface Stored {
  readonly id: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly version: string;
}

/** Reads what the service has stored in Redis; writes to a table and to hashes of its own. */
export async function serverStores(postgresUrl: string, redisUrl: string): Promise<BareStores> {
  const redis = new Redis(redisUrl);
  const getAll = (refs: readonly BareRef[]) => Promise.all(refs.map((ref) => redis.hgetall(hashName(ref))));
  const upsert = await upserts(new Pool({ connectionString: postgresUrl, max: POOL_SIZE }));
  return {
    get: (ref) => redis.hgetall(hashName(ref)),
    getAll,
    list: async (taskId, offset, limit) => {
      const keys = await redis.zrange(`cb:task:${taskId}:attachments`, offset, offset + limit - 1);
      return getAll(keys.map((key) => ({ taskId, key })));
    },
    put: async (put) => {
      const { id, created_at, updated_at, version } = await upsert(put);
      const { taskId, key } = put;
      const times = { createdAt: created_at.toISOString(), updatedAt: updated_at.toISOString() };
      const attachment = { id, taskId, key, type: 'json', ...times, createdBy: 'bare', version };
      await redis.hset(`bare:${hashName(put)}`, { ...attachment, value: JSON.stringify(put.value) });
      return attachment;
    },
  };
}

/** Its attachments are in a `Map` as well, in the order of their creation. */
export async function embeddedStores(folder: string): Promise<BareStores> {
  const tasks = new Map<string, Map<string, BarePut>>();
  const upsert = await upserts(new Pool({ ...createPgConfig(await PGlite.create(folder)), idleTimeoutMillis: 0 }));
  const get = ({ taskId, key }: BareRef) => tasks.get(taskId)?.get(key);
  return {
    get: (ref) => Promise.resolve(get(ref)),
    getAll: (refs) => Promise.resolve(refs.map(get)),
    list: (taskId, offset, limit) => {
      return Promise.resolve([...(tasks.get(taskId)?.values() ?? [])].slice(offset, offset + limit));
    },
    put: async (put) => {
      const stored = await upsert(put);
      const attachments = tasks.get(put.taskId) ?? new Map<string, BarePut>();
      tasks.set(put.taskId, attachments.set(put.key, put));
      return { taskId: put.taskId, key: put.key, ...stored };
    },
  };
}

async function upserts(pool: Pool): Promise<(put: BarePut) => Promise<Stored>> {
  await pool.query(TABLE);
  let version = 0;
  return async ({ taskId, key, value }) => {
    const text = JSON.stringify(value);
    const values = [taskId, key, `ta-${++version}`, text, Buffer.byteLength(text), version];
    const { rows } = await pool.query<Stored>({ name: 'upsert', text: UPSERT, values });
    return rows[0] as Stored;
  };
}

function hashName({ taskId, key }: BareRef): string {
  return `cb:task:${taskId}:attachment:${key}`;
}
