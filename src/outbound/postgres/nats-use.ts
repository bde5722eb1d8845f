import type { PostgresConnection } from './postgres-connection';

const USE = 'UPDATE database_identity SET uses_nats = true WHERE NOT uses_nats';
const IS_USED = 'SELECT uses_nats FROM database_identity';
const END = 'UPDATE database_identity SET uses_nats = false';
/** So soon the fact is noted again if an operator has ended it while replicas with NATS go on. */
const NOTED_MS = 10_000;

/**
 * Whether the events of this database go to NATS. That is a fact of the database, not of a replica: a replica without
 * NATS that took events for published would swallow them.
 */
export class NatsUse {
  private notedAtMs = -Infinity;
  private isReported = false;

  constructor(
    private readonly connection: PostgresConnection,
    private readonly hasNats: boolean,
    /** Called once if this replica publishes nothing because it has no NATS. */
    private readonly onMissing: () => void = () => undefined,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** A replica with NATS notes the fact before it publishes anything. Throws `StoreError`. */
  async mayPublish(): Promise<boolean> {
    if (this.hasNats) {
      await this.note();
      return true;
    }
    const [row] = await this.connection.query<{ uses_nats: boolean }>(IS_USED);
    if (row?.uses_nats && !this.isReported) this.onMissing();
    this.isReported ||= row?.uses_nats === true;
    return row?.uses_nats !== true;
  }

  private async note(): Promise<void> {
    const nowMs = this.nowMs();
    if (nowMs - this.notedAtMs < NOTED_MS) return;
    await this.connection.query(USE);
    this.notedAtMs = nowMs;
  }

  /**
   * From now on a replica without NATS takes events for published, until one with NATS publishes. Throws `StoreError`.
   */
  static async end(connection: PostgresConnection): Promise<void> {
    await connection.query(END);
  }
}
