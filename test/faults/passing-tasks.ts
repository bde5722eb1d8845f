import type { Random } from '../simulation/random';

/** So many deleted tasks are still used by calls. */
const MAX_ENDED = 3;

/** A task and its sub-task, which is deleted with it. */
export type TaskPair = readonly [id: string, subTaskId: string];

/** Tasks that come and go under load. */
export class PassingTasks {
  private readonly open: TaskPair[] = [];
  private readonly ended: TaskPair[] = [];
  private created = 0;

  constructor(private readonly prefix: string) {}

  /** The ids of the next pair to create. */
  nextIds(): TaskPair {
    const id = `${this.prefix}-passing-${++this.created}`;
    return [id, `${id}-sub`];
  }

  /** The number of pairs that have not been deleted. */
  get count(): number {
    return this.open.length;
  }

  /** The next pair to delete. */
  get oldest(): TaskPair | undefined {
    return this.open[0];
  }

  hasBegun(pair: TaskPair): void {
    this.open.push(pair);
  }

  /** Two callers may delete it at once. */
  hasEnded(pair: TaskPair): void {
    const at = this.open.indexOf(pair);
    if (at < 0) return;
    this.open.splice(at, 1);
    this.ended.push(pair);
    if (this.ended.length > MAX_ENDED) this.ended.shift();
  }

  /** A task to read and write, which may have been deleted; undefined if there has been none yet. */
  pick(random: Random): string | undefined {
    const ids = [...this.open, ...this.ended].flat();
    return ids[Math.floor(random.next() * ids.length)];
  }
}
