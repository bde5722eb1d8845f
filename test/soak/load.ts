import { Client } from '../faults/client';
import type { History, Ref, Span } from '../faults/history';
import { Workload } from '../faults/workload';
import { Random } from '../simulation/random';
import { ORGANIZATIONS, type Role } from './credentials';
import { Customer, type Surroundings } from './customer';
import type { Environment } from '../support/service';

/** Of the checked workload: so many keys, spread over so many tasks. */
const KEYS = 24;
const TASKS = 2;
const CUSTOMERS_PER_ORGANIZATION = 2;

export interface LoadOptions {
  /** Unique, and the beginning of the ids of all tasks. */
  readonly name: string;
  readonly seed: number;
  readonly foreignTask: string;
}

/** The workload whose history is checked, and the customers beside it. */
export class Load {
  readonly workload: Workload;
  private readonly customers: readonly Customer[];
  /** The checked workload expects no stale answer in these times. */
  private readonly calm: Span[] = [];

  constructor(
    { name, seed, foreignTask }: LoadOptions,
    private readonly around: Surroundings,
  ) {
    const { replicas, credentials, witness } = around;
    const checked = new Client({
      headersOf: (caller) => credentials.tokenOf(caller),
      observe: (seen) => witness.sawHttp(seen),
    });
    this.workload = new Workload(`${name}-checked`, replicas, refsOf(name), new Random(seed), checked);
    const callers = ORGANIZATIONS.flatMap((organization) =>
      Array.from({ length: CUSTOMERS_PER_ORGANIZATION }, (_, i) => ({
        organization,
        id: `${name}-${organization}-${i}`,
      })),
    );
    this.customers = callers.map(
      ({ organization, id }, i) => new Customer(id, organization, foreignTask, new Random(seed * 1000 + i + 1), around),
    );
  }

  async start(): Promise<void> {
    await this.workload.prepare();
    this.workload.start();
    for (const customer of this.customers) customer.start();
  }

  /** Resolves when the outcome of each call of the customers is known, and no call is under way. */
  async stop(): Promise<void> {
    await Promise.all([this.workload.stop(), ...this.customers.map((customer) => customer.stop())]);
    for (const answer of this.workload.unexpected) this.around.witness.note('an unexpected answer', answer);
  }

  isCalmFrom(fromMs: number, toMs = Infinity): void {
    this.calm.push({ fromMs, toMs });
  }

  get history(): History {
    const { attempts, reads, taskAttempts, sightings } = this.workload;
    return { attempts, reads, taskAttempts, sightings, calm: this.calm };
  }
}

/** The headers of a caller that is written as `acme write`; of `nobody` none, and of `wrong` wrong ones. */
export function headersOf({ credentials }: Pick<Surroundings, 'credentials'>, caller = 'nobody'): Environment {
  if (caller === 'nobody') return {};
  if (caller === 'wrong') return { 'x-api-key': 'a key that nobody has' };
  const [organization, role] = caller.split(' ') as [string, Role];
  return credentials.keyOf(organization, role);
}

function refsOf(name: string): Ref[] {
  return Array.from({ length: KEYS }, (_, i) => ({
    taskId: `${name}-checked-${i % TASKS}`,
    key: `key-${Math.floor(i / TASKS)}`,
  }));
}
