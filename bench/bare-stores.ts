import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { attachmentCreations } from './dataset';

interface Ref {
  readonly taskId: string;
  readonly key: string;
}

/** The minimum that a store must do for each method. */
export interface BareStores {
  get(ref: Ref): Promise<unknown>;
  list(taskId: string, limit: number): Promise<unknown>;
  getAll(refs: readonly Ref[]): Promise<unknown>;
  put(params: Ref & { readonly value?: unknown }): Promise<unknown>;
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
  RETURNING id, created_at`;

export async function serverStores(postgresUrl: string, redisUrl: string): Promise<BareStores> {
  const redis = new Redis(redisUrl);
  const getAll = (refs: readonly Ref[]) => Promise.all(refs.map((ref) => redis.hgetall(hashName(ref))));
  return {
    get: (ref) => redis.hgetall(hashName(ref)),
    getAll,
    list: async (taskId, limit) => {
      const keys = await redis.zrange(`cb:task:${taskId}:attachments`, 0, limit - 1);
      return getAll(keys.map((key) => ({ taskId, key })));
    },
    put: await upserts(new Pool({ connectionString: postgresUrl, max: POOL_SIZE })),
  };
}

export async function embeddedStores(folder: string): Promise<BareStores> {
  const attachments = new Map(attachmentCreations().map(({ params }) => [hashName(params as Ref), params]));
  const getAll = (refs: readonly Ref[]) => Promise.resolve(refs.map((ref) => attachments.get(hashName(ref))));
  return {
    get: (ref) => Promise.resolve(attachments.get(hashName(ref))),
    getAll,
    list: (taskId, limit) => getAll(Array.from({ length: limit }, (_, i) => ({ taskId, key: `k${i}` }))),
    put: await upserts(new Pool({ ...createPgConfig(await PGlite.create(folder)), idleTimeoutMillis: 0 })),
  };
}

async function upserts(pool: Pool): Promise<BareStores['put']> {
  await pool.query(TABLE);
  let version = 0;
  return async ({ taskId, key, value }) => {
    const text = JSON.stringify(value);
    const values = [taskId, key, `ta-${++version}`, text, Buffer.byteLength(text), version];
    const { rows } = await pool.query<object>({ name: 'upsert', text: UPSERT, values });
    return { taskId, key, ...rows[0] };
  };
}

function hashName({ taskId, key }: Ref): string {
  return `cb:task:${taskId}:attachment:${key}`;
}
