/**
 * Whether entries may wait in the journal, as far as this replica knows. They may until the replica has looked, and
 * after it could not look.
 */
export class JournalBacklog {
  private isEmpty = false;
  private appends = 0;
  private onAppend: () => void = () => undefined;

  get mayExist(): boolean {
    return !this.isEmpty;
  }

  /** Calls `listener` when this replica may have left an entry. */
  onAppended(listener: () => void): void {
    this.onAppend = listener;
  }

  /** To be called when an append has ended, in whatever way. */
  learnAppend(): void {
    this.appends += 1;
    this.isEmpty = false;
    this.onAppend();
  }

  /** `look` reads the oldest entries. It may lack what has been appended meanwhile. */
  async learnFrom<T>(look: Promise<readonly T[]>): Promise<readonly T[]> {
    const { appends } = this;
    try {
      const found = await look;
      this.isEmpty = found.length === 0 && appends === this.appends;
      return found;
    } catch (error) {
      this.isEmpty = false;
      throw error;
    }
  }
}
