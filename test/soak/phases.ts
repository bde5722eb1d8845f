import { killPostgres, restartPostgres } from '../faults/postgres-processes';
import { untilRecovered } from '../faults/replica-group';
import { until } from '../support/poll';
import type { Environment } from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';
import { ORGANIZATIONS, type Credentials } from './credentials';
import type { Deployment } from './deployment';
import type { Excuses } from './witness';

/** Far longer than promised, so that a busy machine does not fail it; the report has the true time. */
const RECOVERED_AFTER_MS = 60_000;
const WITHOUT_POSTGRES = ['STORE_UNAVAILABLE', 'STORE_FAILED', 'TIMEOUT'];

export interface Stage {
  readonly deployment: Deployment;
  readonly credentials: Credentials;
  /** Lets the load go on for this share of a phase. */
  readonly work: (share: number) => Promise<void>;
  readonly say: (what: string) => void;
}

/** Something that happens while the load goes on. */
export interface Phase {
  readonly name: string;
  readonly excuses?: Excuses;
  readonly run: (stage: Stage) => Promise<void>;
}

const CALM: Phase = { name: 'calm', run: ({ work }) => work(1) };

const UPDATE: Phase = {
  name: 'purge and rolling restart',
  async run(stage) {
    const { deployment, work, say } = stage;
    await deployment.ageHistory();
    for (const replica of deployment.replicas) {
      const code = await replica.replace();
      if (code !== 0) throw new Error(`${replica.name} has left with exit code ${code}`);
      say(`${replica.name} has left with exit code 0, and a new process is in its place`);
      await untilWhole(stage.deployment);
      await work(0.5);
    }
    await deployment.untilPurged();
    say('the history of nine days ago is purged');
  },
};

/** Before the first measurement of memory. */
export const MORNING: readonly Phase[] = [CALM, UPDATE, CALM];

const POSTGRES_OUTAGES: readonly Phase[] = [
  outage('PostgreSQL is killed', 'postgres', { words: WITHOUT_POSTGRES }, async ({ deployment: { postgres } }) => {
    await killPostgres(postgres);
    return () => restartPostgres(postgres);
  }),
  outage('PostgreSQL is silent', 'postgres', { words: WITHOUT_POSTGRES }, async ({ deployment }) => {
    await deployment.pausePostgres();
    return () => deployment.resumePostgres();
  }),
];

const REDIS_OUTAGES: readonly Phase[] = [
  outage('Redis is killed', 'redis', {}, async ({ deployment: { redis } }) => {
    await redis.kill();
    return () => redis.restart();
  }),
  outage('Redis is silent', 'redis', { words: ['TIMEOUT'] }, ({ deployment: { redis } }) => {
    redis.pause();
    return () => redis.resume();
  }),
];

const NATS_OUTAGES: readonly Phase[] = [
  outage('NATS is killed', 'nats', { natsIsSilent: true }, async ({ deployment: { nats } }) => {
    await nats.kill();
    return () => nats.restart();
  }),
  outage('NATS is silent', 'nats', { natsIsSilent: true }, ({ deployment: { nats } }) => {
    nats.pause();
    return () => nats.resume();
  }),
];

const PROMOTION: Phase = {
  name: 'a standby is promoted',
  excuses: { words: WITHOUT_POSTGRES, mayBeStale: true },
  async run(stage) {
    const { deployment, work, say } = stage;
    await deployment.addStandby();
    say('a synchronous standby follows');
    await work(0.4);
    const beganAtMs = performance.now();
    await deployment.promoteStandby();
    await untilWhole(stage.deployment);
    say(`the standby is the primary; all is well again after ${secondsSince(beganAtMs)}`);
    await work(0.6);
  },
};

const ROTATION: Phase = {
  name: 'keys are rotated',
  async run({ deployment, credentials, work, say }) {
    credentials.addNextKeys();
    const added = await untilAll(deployment, (organization) => credentials.nextKeyOf(organization, 'read'), true);
    credentials.useNextKeys();
    await work(0.5);
    credentials.dropFormerKeys();
    const dropped = await untilAll(deployment, (organization) => credentials.formerKeyOf(organization, 'read'), false);
    say(`the new keys are valid after ${added}, the former ones refused after ${dropped}`);
    await work(0.5);
  },
};

/** In each round all of them happen, in an order that the seed decides; what follows the last one is calm. */
export const EVENTS: readonly Phase[] = [...POSTGRES_OUTAGES, ...REDIS_OUTAGES, ...NATS_OUTAGES, PROMOTION, ROTATION];
export const EVENING = CALM;

/** Resolves when all replicas reach all servers, and take requests over NATS. */
export async function untilWhole(deployment: Deployment): Promise<void> {
  await untilRecovered(deployment, RECOVERED_AFTER_MS);
  await untilServedOverNats(deployment.nats.url, deployment.replicas.length);
}

/** It lasts until all replicas have noticed it: what it does to calls is over when the phase is. */
function outage(name: string, server: Server, excuses: Excuses, begin: (stage: Stage) => Promise<End> | End): Phase {
  return {
    name,
    excuses: { ...excuses, mayBeStale: true },
    async run(stage) {
      const end = await begin(stage);
      const endedAtMs = await endingWith(end, async () => {
        await stage.work(0.4);
        await untilNoticed(stage.deployment, server);
        return performance.now();
      });
      await untilWhole(stage.deployment);
      stage.say(`${name}: all is well again ${secondsSince(endedAtMs)} after its end began`);
      await stage.work(0.6);
    },
  };
}

/** Whatever happens meanwhile, the outage ends. */
async function endingWith<T>(end: End, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await end();
  }
}

type End = () => Promise<void> | void;
type Server = 'postgres' | 'redis' | 'nats';

function untilNoticed({ replicas }: Deployment, server: Server): Promise<boolean> {
  const hasNoticed = async ({ service }: Deployment['replicas'][number]) => {
    const { details } = JSON.parse((await service.fetch('/readyz')).text) as {
      details: Record<Server, { state: string }>;
    };
    return details[server].state === 'down';
  };
  return until(`all replicas know that ${server} is down`, async () => {
    return !(await Promise.all(replicas.map(hasNoticed))).includes(false);
  });
}

/** Until all replicas take the keys, or refuse them. Returns how long that took. */
async function untilAll(
  { replicas }: Deployment,
  keyOf: (organization: string) => Environment,
  areValid: boolean,
): Promise<string> {
  const beganAtMs = performance.now();
  const isValid = async ({ service }: Deployment['replicas'][number], organization: string) =>
    (await service.rpc('task.list', { limit: 1 }, keyOf(organization))).error?.data?.['code'] !== 'UNAUTHORIZED';
  for (const replica of replicas) {
    for (const organization of ORGANIZATIONS) {
      const what = `a key of ${organization} is ${areValid ? 'valid' : 'refused'} at ${replica.name}`;
      await until(what, async () => (await isValid(replica, organization)) === areValid);
    }
  }
  return secondsSince(beganAtMs);
}

function secondsSince(fromMs: number): string {
  return `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
}
