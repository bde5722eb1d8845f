import { Gauge, Histogram, type Registry } from 'prom-client';
import { StoreError } from '../../core/ports/store-error';
import { Breaker } from './breaker';

type Store = StoreError['store'];
type Method = (...args: unknown[]) => Promise<unknown>;

/** Redis answers in a fraction of a millisecond; what takes five seconds is given up. */
const BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const THRESHOLD = 5;
/** Operations whose breaker opens after another number of failures in a row than `THRESHOLD`. */
const THRESHOLDS: ReadonlyMap<string, number> = new Map([['task.delete_attachment', 10]]);

/** One breaker for each store and operation. */
export class Breakers {
  private readonly byStore: Readonly<Record<Store, Map<string, Breaker>>> = { postgres: new Map(), redis: new Map() };

  private readonly durations: Histogram<'store' | 'operation' | 'outcome'>;

  constructor(registry: Registry) {
    this.durations = new Histogram({
      name: 'dossier_store_duration_seconds',
      help: 'Duration of what calls ask of a store, by the method of the call. The outcome is ok, refused (the store answered with an error), or the kind of failure; unavailable also while the breaker is open. Sum over replicas.',
      labelNames: ['store', 'operation', 'outcome'],
      buckets: BUCKETS_SECONDS,
      registers: [registry],
    });
    const gauge = new Gauge({
      name: 'dossier_breaker_open',
      help: '1 while calls of an operation go round a store, because it has failed them too often. Of this replica: max.',
      labelNames: ['dependency', 'operation'],
      registers: [registry],
      collect: () => {
        for (const [dependency, breakers] of Object.entries(this.byStore)) {
          for (const [operation, { isOpen }] of breakers) gauge.set({ dependency, operation }, isOpen ? 1 : 0);
        }
      },
    });
  }

  /** The port for the use of `operation`: each of its methods passes the breaker. All methods must be asynchronous. */
  wrap<T extends object>(store: Store, operation: string, port: T): T {
    const breaker = this.breakerOf(store, operation);
    const wrapped = Object.create(port) as T;
    for (const name of methodNames(port)) {
      const method = Reflect.get(port, name) as Method;
      Object.defineProperty(wrapped, name, {
        value: (...args: unknown[]) => this.timed(store, operation, () => breaker.run(() => method.apply(port, args))),
      });
    }
    return wrapped;
  }

  /** Which operations go round which store. */
  get open(): readonly { readonly store: Store; readonly operation: string }[] {
    return (['postgres', 'redis'] as const).flatMap((store) =>
      [...this.byStore[store]].flatMap(([operation, { isOpen }]) => (isOpen ? [{ store, operation }] : [])),
    );
  }

  /** The store is back: no operation continues without it. */
  recovered(store: Store): void {
    for (const breaker of this.byStore[store].values()) breaker.close();
  }

  /**
   * The store can be reached, but may have been reachable all the time. This is a recovery only if a breaker is open
   * because the store could not be reached.
   */
  reachable(store: Store): void {
    const wasUnreachable = [...this.byStore[store].values()].some((breaker) => breaker.isOpenForUnreachable);
    if (wasUnreachable) this.recovered(store);
  }

  private async timed<T>(store: Store, operation: string, call: () => Promise<T>): Promise<T> {
    const startedAtMs = performance.now();
    let outcome = 'ok';
    try {
      return await call();
    } catch (error) {
      outcome = error instanceof StoreError ? error.outcome : 'refused';
      throw error;
    } finally {
      this.durations.observe({ store, operation, outcome }, (performance.now() - startedAtMs) / 1000);
    }
  }

  private breakerOf(store: Store, operation: string): Breaker {
    const breakers = this.byStore[store];
    const breaker = breakers.get(operation) ?? new Breaker(store, THRESHOLDS.get(operation) ?? THRESHOLD);
    breakers.set(operation, breaker);
    return breaker;
  }
}

function methodNames(port: object): ReadonlySet<string> {
  const names = new Set<string>();
  for (let at: object = port; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
    }
  }
  return names;
}
