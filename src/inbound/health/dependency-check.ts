import type { Dependency } from '../../core/ports/dependency';

/** What is not configured as a server runs embedded. */
export interface DependencyHealth {
  readonly state: 'up' | 'down' | 'embedded';
  /** Why it answers, but should not be relied on. */
  readonly reason?: string;
}

const EMBEDDED: DependencyHealth = { state: 'embedded' };
const DOWN: DependencyHealth = { state: 'down' };

/** How everything is that this process needs. */
export class DependencyCheck {
  constructor(private readonly dependencies: readonly Dependency[]) {}

  /** Takes `PING_TIMEOUT_MS` at most, and never rejects. */
  async health(): Promise<Record<Dependency['name'], DependencyHealth>> {
    const found = await Promise.all(this.dependencies.map(async (one) => [one.name, await healthOf(one)] as const));
    return { postgres: EMBEDDED, redis: EMBEDDED, nats: EMBEDDED, ...Object.fromEntries(found) };
  }
}

async function healthOf(dependency: Dependency): Promise<DependencyHealth> {
  try {
    const [reason] = await Promise.all([dependency.unfitness?.(), dependency.ping()]);
    return { state: 'up', reason };
  } catch {
    return DOWN;
  }
}
