import { randomUUID } from 'node:crypto';
import { checkDraft, createAttachment, type Attachment, type AttachmentDraft } from '../../src/core/domain/attachment';
import {
  attachmentCreated,
  attachmentDeleted,
  taskCancelled,
  taskCreated,
  taskDeleted,
  type DomainEvent,
} from '../../src/core/domain/domain-event';
import { JsonText } from '../../src/core/domain/json-text';
import { createTask, type Task, type TaskDraft } from '../../src/core/domain/task';
import type { JournaledWrite } from '../../src/core/ports/attachment-journal';
import type { AttachmentStore } from '../../src/core/ports/attachment-store';
import type { AttachmentDeletion, AttachmentPut } from '../../src/core/ports/attachment-write';
import type { DueTaskStore } from '../../src/core/ports/due-task-store';
import type { TaskStore } from '../../src/core/ports/task-store';
import type { DoomedTask, TaskDeletion } from '../../src/core/ports/tree-deletion';
import { MemoryAttachmentStore } from '../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import { MemoryDueTaskStore } from '../../src/outbound/memory/memory-due-task-store';
import { MemoryTaskStore } from '../../src/outbound/memory/memory-task-store';
import type { Database } from '../../src/outbound/postgres/database';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresAttachmentStore } from '../../src/outbound/postgres/postgres-attachment-store';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresDueTaskStore } from '../../src/outbound/postgres/postgres-due-task-store';
import { PostgresTaskStore } from '../../src/outbound/postgres/postgres-task-store';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres } from '../support/postgres-server';

/** One database for the tests of a file. Each test works on tasks and organisations of its own. */
export interface StoreHarness {
  readonly attachments: AttachmentStore;
  readonly tasks: TaskStore;
  readonly dueTasks: DueTaskStore;
  /** Every event recorded of these tasks, in the order of announcement. */
  eventsOf(...taskIds: string[]): Promise<readonly DomainEvent[]>;
  /** What is recorded under an op: whether it was superseded, and whether it counts as published. */
  recordsOf(op: string): Promise<readonly { superseded: boolean; published: boolean }[]>;
  close(): Promise<void>;
}

export const HARNESSES: readonly [string, () => Promise<StoreHarness>][] = [
  ['in memory', () => Promise.resolve(memoryHarness())],
  ['on PGlite', async () => databaseHarness(await openMemoryDatabase())],
  ['on PostgreSQL', serverHarness],
];

function memoryHarness(): StoreHarness {
  const database = new MemoryDatabase();
  return {
    attachments: new MemoryAttachmentStore(database),
    tasks: new MemoryTaskStore(database),
    dueTasks: new MemoryDueTaskStore(database),
    eventsOf: (...taskIds) =>
      Promise.resolve(
        database.events.filter(({ payload }) => taskIds.includes((payload['taskId'] ?? payload['id']) as string)),
      ),
    recordsOf: (op) => {
      const rows = database.rows.all.filter((row) => row.op === op);
      return Promise.resolve(rows.map(({ superseded, published }) => ({ superseded, published })));
    },
    close: () => Promise.resolve(),
  };
}

export async function databaseHarness(database: Database): Promise<PostgresHarness> {
  await runMigrations(database);
  return postgresHarness(new PostgresConnection(database));
}

export interface PostgresHarness extends StoreHarness {
  readonly connection: PostgresConnection;
}

export function postgresHarness(connection: PostgresConnection): PostgresHarness {
  return {
    connection,
    attachments: new PostgresAttachmentStore(connection),
    tasks: new PostgresTaskStore(connection),
    dueTasks: new PostgresDueTaskStore(connection),
    async eventsOf(...taskIds) {
      const rows = await connection.query<{ event: DomainEvent; op_id: string }>(
        'SELECT event, op_id FROM outbox WHERE task_id = ANY ($1) ORDER BY seq',
        [taskIds],
      );
      expect(rows.map(({ op_id }) => op_id)).toEqual(rows.map(({ event }) => event.metadata.eventId));
      return rows.map(({ event }) => event);
    },
    recordsOf: (op) => connection.query('SELECT superseded, published FROM outbox WHERE op_id = $1', [op]),
    close: () => connection.close(),
  };
}

async function serverHarness(): Promise<StoreHarness> {
  const server = await startPostgres();
  const harness = await databaseHarness(serverDatabase({ url: server.url, poolSize: 4 }));
  return { ...harness, close: () => harness.close().finally(() => server.stop()) };
}

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
export const ORGANIZATION = 'acme';
/** Longer than any test waits. */
export const TIMEOUT_MS = 30_000;

export function aTask(draft: Partial<TaskDraft> = {}, organization = ORGANIZATION, nowMs = NOW_MS): Task {
  const change = { by: 'ada', nowMs };
  return createTask({ id: randomUUID(), text: 'Write the report', ...draft }, organization, '', change);
}

/** Stores a new task and returns it. Throws `StoreError` if the store does. */
export async function storedTask(
  { tasks }: Pick<StoreHarness, 'tasks'>,
  draft?: Partial<TaskDraft>,
  organization?: string,
): Promise<Task> {
  const task = aTask(draft, organization);
  expect(await tasks.insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS)).toBe('inserted');
  return task;
}

/** The deletion of each task of a tree, as a use case describes it. */
export function describeDeletion(tasks: readonly DoomedTask[]): TaskDeletion[] {
  return tasks.map(({ id, status }) => {
    const stamp = { version: 2000, op: randomUUID() };
    const deleted = taskDeleted(id, { by: 'bob', nowMs: NOW_MS, instanceId: 'replica-1', eventId: stamp.op });
    const cancelled = status === 'in_progress' ? [taskCancelled(id, 'bob', NOW_MS, randomUUID())] : [];
    return { taskId: id, stamp, events: [...cancelled, deleted] };
  });
}

/** Deletes a task with everything below it; undefined if it is missing. */
export async function deleteTree(
  { tasks }: Pick<StoreHarness, 'tasks'>,
  taskId: string,
  { organization = ORGANIZATION, describe = describeDeletion, stepSize = 200 } = {},
): Promise<readonly TaskDeletion[] | undefined> {
  const tree = { taskId, caller: { organization, name: 'bob' } };
  const step = () => tasks.deleteTree(tree, describe, stepSize, TIMEOUT_MS);
  let outcome = await step();
  const deletions = outcome && [...outcome.deletions];
  while (outcome?.more) {
    outcome = await step();
    deletions?.push(...(outcome?.deletions ?? []));
  }
  return deletions;
}

export interface PutOptions {
  readonly version?: number;
  readonly nowMs?: number;
  readonly by?: string;
}

export function aPut(
  draft: Partial<AttachmentDraft> & { taskId: string },
  { version = 1000, nowMs = NOW_MS, by = 'ada' }: PutOptions = {},
): AttachmentPut {
  const body = draft.type === undefined ? { type: 'json' as const, value: JsonText.of(version) } : {};
  const attachment = createAttachment(checkDraft({ key: 'k', ...body, ...draft } as AttachmentDraft, 2 ** 20), {
    nowMs,
    idSuffix: randomUUID().slice(0, 8),
    createdBy: by,
    stamp: { version, op: randomUUID() },
  });
  return { attachment, event: attachmentCreated(attachment, 'replica-1') };
}

export function aDeletion(taskId: string, key: string, version: number, { nowMs = NOW_MS } = {}): AttachmentDeletion {
  const stamp = { version, op: randomUUID() };
  return { taskId, key, stamp, event: attachmentDeleted({ taskId, key }, stamp, 'bob', nowMs) };
}

export async function drainOne({ attachments }: Pick<StoreHarness, 'attachments'>, write: JournaledWrite) {
  const [outcome] = await attachments.drain([write]);
  return outcome;
}

/** The live attachment under a key. */
export async function found(
  { attachments }: Pick<StoreHarness, 'attachments'>,
  taskId: string,
  key = 'k',
  nowMs = NOW_MS,
): Promise<Attachment | undefined> {
  const { found } = await attachments.find([{ taskId, key }], ORGANIZATION, nowMs, TIMEOUT_MS);
  return found[0]?.attachment;
}
