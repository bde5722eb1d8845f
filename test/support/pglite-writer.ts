import { randomUUID } from 'node:crypto';
import { checkDraft, createAttachment } from '../../src/core/domain/attachment';
import { attachmentCreated, taskCreated } from '../../src/core/domain/domain-event';
import { createTask } from '../../src/core/domain/task';
import { openEmbeddedDatabase } from '../../src/outbound/postgres/embedded-database';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresAttachmentStore } from '../../src/outbound/postgres/postgres-attachment-store';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresTaskStore } from '../../src/outbound/postgres/postgres-task-store';

const TIMEOUT_MS = 30_000;

/** Attaches texts to the task `t` in a data directory until it is killed, and prints each key once it is stored. */
async function write(dataDirectory: string): Promise<never> {
  const database = await openEmbeddedDatabase(dataDirectory);
  await runMigrations(database);
  const connection = new PostgresConnection(database);
  const at = { by: 'ada', nowMs: Date.now() };
  const task = createTask({ id: 't', text: 'Survive' }, 'acme', '', at);
  await new PostgresTaskStore(connection).insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS);
  const attachments = new PostgresAttachmentStore(connection);
  for (let i = 0; ; i++) {
    const attachment = createAttachment(
      checkDraft({ taskId: 't', key: `k${i}`, type: 'text', content: 'x'.repeat(i) }, 2 ** 20),
      {
        nowMs: at.nowMs,
        idSuffix: `${i}`,
        createdBy: 'ada',
        stamp: { version: 2, op: randomUUID() },
      },
    );
    const put = { attachment, event: attachmentCreated(attachment, 'writer') };
    await attachments.put(put, 'acme', undefined, at.nowMs, TIMEOUT_MS);
    process.stdout.write(`${attachment.key}\n`);
  }
}

void write(process.argv[2] as string);
