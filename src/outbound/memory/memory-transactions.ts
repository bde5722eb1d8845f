/** The numbers of transactions, and which of them are under way. Several may be open, one at a time commits. */
export class MemoryTransactions {
  protected nextXid = 1;
  /** The transaction that is committing. */
  protected committing?: number;
  private readonly underWay = new Set<number>();

  /** Every transaction below it has ended. */
  get xmin(): number {
    const [lowest] = this.underWay;
    return lowest ?? this.nextXid;
  }

  /** Every transaction that has begun is below it. */
  get xmax(): number {
    return this.nextXid;
  }

  /** Begins a transaction. It counts as open until it commits, even if it does nothing. */
  begin(): number {
    this.underWay.add(this.nextXid);
    return this.nextXid++;
  }

  /** `work` must write synchronously. Calls of the stores within it belong to the transaction. */
  commit<T>(xid: number, work: () => T): T {
    this.committing = xid;
    try {
      return work();
    } finally {
      this.committing = undefined;
      this.underWay.delete(xid);
    }
  }

  /** Runs in the transaction that is committing, otherwise in its own. */
  transaction<T>(work: () => T): T {
    return this.committing === undefined ? this.commit(this.begin(), work) : work();
  }
}
