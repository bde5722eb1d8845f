import type { Dependency } from '../../core/ports/dependency';

export type DependencyState = 'up' | 'down' | 'embedded';
export type DependencyStates = Record<Dependency['name'], DependencyState>;

const PING_TIMEOUT_MS = 1000;

/** The state of everything that this process needs; what is not configured as a server runs embedded. */
export class DependencyCheck {
  constructor(private readonly dependencies: readonly Dependency[]) {}

  /** Takes a second at most, and never rejects. */
  async states(): Promise<DependencyStates> {
    const states = await Promise.all(this.dependencies.map(async (one) => [one.name, await stateOf(one)] as const));
    return { postgres: 'embedded', redis: 'embedded', nats: 'embedded', ...Object.fromEntries(states) };
  }
}

async function stateOf(dependency: Dependency): Promise<DependencyState> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<DependencyState>((resolve) => {
    timer = setTimeout(() => resolve('down'), PING_TIMEOUT_MS);
  });
  try {
    return await Promise.race([dependency.ping().then(() => 'up' as const), timeout]);
  } catch {
    return 'down';
  } finally {
    clearTimeout(timer);
  }
}
