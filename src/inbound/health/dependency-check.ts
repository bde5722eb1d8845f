import type { Dependency } from '../../core/ports/dependency';

/** What is not configured as a server runs embedded. */
export interface DependencyHealth {
  readonly state: 'up' | 'down' | 'embedded';
  /** Why it answers, but should not be relied on. */
  readonly reason?: string;
}

interface CheckedDependency extends Dependency {
  /** Why the server may fail its duty although it answers; undefined where nothing is known against it. */
  unfitness?(): Promise<string | undefined>;
}

const PING_TIMEOUT_MS = 1000;
const EMBEDDED: DependencyHealth = { state: 'embedded' };
const DOWN: DependencyHealth = { state: 'down' };

/** How everything is that this process needs. */
export class DependencyCheck {
  constructor(private readonly dependencies: readonly CheckedDependency[]) {}

  /** Takes a second at most, and never rejects. */
  async health(): Promise<Record<Dependency['name'], DependencyHealth>> {
    const found = await Promise.all(this.dependencies.map(async (one) => [one.name, await healthOf(one)] as const));
    return { postgres: EMBEDDED, redis: EMBEDDED, nats: EMBEDDED, ...Object.fromEntries(found) };
  }
}

async function healthOf(dependency: CheckedDependency): Promise<DependencyHealth> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<DependencyHealth>((resolve) => {
    timer = setTimeout(() => resolve(DOWN), PING_TIMEOUT_MS);
  });
  try {
    return await Promise.race([examine(dependency), timeout]);
  } catch {
    return DOWN;
  } finally {
    clearTimeout(timer);
  }
}

async function examine(dependency: CheckedDependency): Promise<DependencyHealth> {
  await dependency.ping();
  return { state: 'up', reason: await dependency.unfitness?.() };
}
