/** A task of any organisation that is to be deleted. */
export interface DueTask {
  readonly taskId: string;
  readonly organization: string;
}

export interface FinishedTask extends DueTask {
  readonly finishedAtMs: number;
}

/** Tasks that are to be deleted although no caller has said so. Every method throws `StoreError`. */
export abstract class DueTaskStore {
  /**
   * At most `limit` tasks whose time to live has passed, of each organisation those that expired first. If there are
   * more, organisations take turns: each has its first task before any has its second, and so on. The cost does not
   * grow with the tasks that are not returned.
   */
  abstract expired(nowMs: number, limit: number): Promise<readonly DueTask[]>;

  /**
   * At most `limit` tasks that were finished before `beforeMs`, in the order in which they were finished, ties by id:
   * those behind the task `after`, or the first ones. Whether something below them goes on does not matter here. The
   * cost does not grow with the tasks that are not returned.
   */
  abstract finished(beforeMs: number, after: FinishedTask | undefined, limit: number): Promise<readonly FinishedTask[]>;

  /** Whether this replica may delete now: true for one replica, once in `lengthMs` by the clock of the store. */
  abstract takeTurn(lengthMs: number): Promise<boolean>;
}
