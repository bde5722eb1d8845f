import type { INestApplicationContext } from '@nestjs/common';
import { loadConfig, type Config } from '../app/config';
import { Clock } from '../core/ports/clock';
import { HISTORY_RETENTION_MS } from '../core/ports/outbox';
import { CountDue, type DueCounts } from '../core/use-cases/upkeep/count-due';
import { DeleteDueTasks } from '../core/use-cases/upkeep/delete-due-tasks';
import { PurgeHistory } from '../core/use-cases/upkeep/purge-history';
import { SweepExpired } from '../core/use-cases/upkeep/sweep-expired';
import { isConfirmed, type ConfirmationOptions, type Plan } from './confirmation';
import { print } from './output';
import { PURGEABLE, type Purgeable } from './purgeable';
import { withStores } from './with-stores';

const MAX_COUNTED = 10_000;
const DAY_MS = 86_400_000;
/** Shorter than a turn, so that the command has most of them beside replicas. */
const TURN_PAUSE_MS = 200;

/** Does at once what replicas do in the background. Everything that is due, unless parts of it are named. */
export async function purge(chosen: readonly Purgeable[], options: ConfirmationOptions): Promise<void> {
  const parts = chosen.length > 0 ? PURGEABLE.filter((part) => chosen.includes(part)) : PURGEABLE;
  const config = loadConfig();
  // Another version must not write.
  const work = (context: INestApplicationContext) => purgeIn(context, parts, config, options);
  await withStores({ ...config, migrates: false }, work);
}

async function purgeIn(
  context: INestApplicationContext,
  parts: readonly Purgeable[],
  config: Config,
  options: ConfirmationOptions,
): Promise<void> {
  const count = context.get(CountDue);
  const due = await count.execute(MAX_COUNTED + 1);
  if (!(await isConfirmed(planOf(parts, due, config), options))) return;
  for (const part of parts) await PURGES[part](context);
  const left = await count.execute(MAX_COUNTED + 1);
  print(
    options,
    { purged: parts, left: factsOf(parts, left) },
    `purged: ${parts.join(', ')}${textOfLeft(parts, left)}`,
  );
}

const PURGES: Readonly<Record<Purgeable, (context: INestApplicationContext) => Promise<void>>> = {
  async attachments(context) {
    const sweep = context.get(SweepExpired);
    while ((await sweep.execute()).more);
  },
  async tasks(context) {
    const [dueTasks, clock] = [context.get(DeleteDueTasks), context.get(Clock)];
    while (!(await dueTasks.execute()).done) await clock.sleep(TURN_PAUSE_MS);
  },
  async history(context) {
    const history = context.get(PurgeHistory);
    while ((await history.execute()).more);
  },
};

function planOf(parts: readonly Purgeable[], due: DueCounts, { finishedRetentionMs }: Config): Plan {
  const finished =
    finishedRetentionMs > 0
      ? `${numberOf(due.finishedTasks)} that were finished more than ${finishedRetentionMs / DAY_MS} days ago, unless something below them goes on`
      : 'finished ones are kept for ever, as RETENTION_FINISHED_DAYS is not set here';
  const texts: Record<Purgeable, string> = {
    attachments: `${numberOf(due.expiredAttachments)} expired attachments`,
    tasks: `tasks with all that is in them (${numberOf(due.expiredTasks)} whose time to live has passed; ${finished})`,
    history: `published events and tombstones of more than ${HISTORY_RETENTION_MS / DAY_MS} days ago`,
  };
  const text = `deletes for good ${parts.map((part) => texts[part]).join(', ')}`;
  return { command: 'purge', text, facts: { purges: parts, due: factsOf(parts, due) } };
}

/** Of the parts that were chosen, as they are counted. */
function factsOf(parts: readonly Purgeable[], counts: DueCounts): Partial<DueCounts> {
  const { expiredAttachments, expiredTasks, finishedTasks } = counts;
  return {
    ...(parts.includes('attachments') && { expiredAttachments }),
    ...(parts.includes('tasks') && { expiredTasks, finishedTasks }),
  };
}

function textOfLeft(parts: readonly Purgeable[], left: DueCounts): string {
  const { finishedTasks } = left;
  if (!parts.includes('tasks') || finishedTasks === 0) return '';
  return `\nfinished tasks that stay, because something below them goes on: ${numberOf(finishedTasks)}`;
}

function numberOf(count: number): string {
  return count > MAX_COUNTED ? `more than ${MAX_COUNTED}` : String(count);
}
