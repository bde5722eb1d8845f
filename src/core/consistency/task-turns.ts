import type { Caller } from '../domain/caller';

/**
 * Lets the changes of one task that this process makes come one after the other. Each would be overtaken by others
 * between reading the task and changing it, and be made again and again. A caller waits for those of its organisation
 * only.
 */
export class TaskTurns {
  /** Settles when the change that came last has ended. */
  private readonly last = new Map<string, Promise<unknown>>();

  /** Rejects as the change does; the next one begins all the same. */
  async take<T>(taskId: string, { organization }: Caller, change: () => Promise<T>): Promise<T> {
    const name = JSON.stringify([organization, taskId]);
    const turn = this.last.get(name)?.then(change, change) ?? change();
    this.last.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(name) === turn) this.last.delete(name);
    }
  }
}
