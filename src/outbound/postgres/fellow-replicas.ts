import type { Client } from 'pg';

/** As PostgreSQL cuts it. */
const MAX_NAME_BYTES = 63;
const SESSION = /^dossier ping nats=(\w+) redis=(\w+) (.*)$/s;
const FIND = `
  SELECT DISTINCT application_name AS name FROM pg_stat_activity
  WHERE datname = current_database() AND application_name LIKE 'dossier ping %'`;

/** What all replicas on one database should have in common, each as a digest of letters and digits. */
export interface CommonSettings {
  readonly nats: string;
  readonly redis: string;
}

/** Told of the replicas, by their ids, that have another setting; once for each set of replicas. */
export type OnOtherSettings = (setting: keyof CommonSettings, replicas: readonly string[]) => void;

/**
 * The replicas that have a session with the same database. The names of their sessions show their settings: nothing is
 * written, and a replica that has ended is not remembered.
 */
export class FellowReplicas {
  private readonly told = new Set<string>();

  constructor(
    private readonly id: string,
    private readonly settings: CommonSettings,
    private readonly onOther: OnOtherSettings,
  ) {}

  /** Of this replica, for one session. */
  get sessionName(): string {
    const { nats, redis } = this.settings;
    return Buffer.from(`dossier ping nats=${nats} redis=${redis} ${this.id}`).subarray(0, MAX_NAME_BYTES).toString();
  }

  /** Rejects as the client does. */
  async compare(client: Client): Promise<void> {
    const { rows } = await client.query<{ name: string }>(FIND);
    const fellows = rows.flatMap(({ name }) => {
      const [, nats, redis, id = ''] = SESSION.exec(name) ?? [];
      return nats !== undefined && redis !== undefined ? [{ nats, redis, id }] : [];
    });
    for (const setting of ['nats', 'redis'] as const) {
      const others = fellows.filter((fellow) => fellow[setting] !== this.settings[setting]).map(({ id }) => id);
      const line = `${setting} ${others.sort().join()}`;
      if (others.length > 0 && !this.told.has(line)) this.onOther(setting, others);
      this.told.add(line);
    }
  }
}
