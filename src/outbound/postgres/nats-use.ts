import type { PostgresConnection } from './postgres-connection';

const USE = 'UPDATE database_identity SET uses_nats = true WHERE NOT uses_nats';
const IS_USED = 'SELECT uses_nats FROM database_identity';
const END = 'UPDATE database_identity SET uses_nats = false';

/**
 * Whether the events of this database go to NATS. That is a fact of the database, not of a replica: a replica without
 * NATS that took events for published would swallow them.
 */
export class NatsUse {
  private isNoted = false;
  private isReported = false;

  constructor(
    private readonly connection: PostgresConnection,
    private readonly hasNats: boolean,
    /** Called once if this replica publishes nothing because it has no NATS. */
    private readonly onMissing: () => void = () => undefined,
  ) {}

  /** A replica with NATS notes the fact before it publishes anything. Throws `StoreError`. */
  async mayPublish(): Promise<boolean> {
    if (this.hasNats) {
      if (!this.isNoted) await this.connection.query(USE);
      this.isNoted = true;
      return true;
    }
    const [row] = await this.connection.query<{ uses_nats: boolean }>(IS_USED);
    if (row?.uses_nats && !this.isReported) this.onMissing();
    this.isReported ||= row?.uses_nats === true;
    return row?.uses_nats !== true;
  }

  /** From now on a replica without NATS takes events for published, until one with NATS starts. Throws `StoreError`. */
  static async end(connection: PostgresConnection): Promise<void> {
    await connection.query(END);
  }
}
