import { until } from '../support/poll';
import { openOnServers, withRedis, type Servers, type Setup } from '../support/setups';
import { StoredTruth } from './stored-truth';

const TASK = 'gone';
const CONTROL = `cb:task:${TASK}:control`;
const BODY = `cb:task:${TASK}:attachment:a`;
const LIFETIME_S = 60;

describe('of a deleted task', () => {
  let setup: Setup;
  let truth: StoredTruth;

  beforeAll(async () => {
    setup = await openOnServers();
    const { databaseUrl, redis } = setup.servers as Servers;
    truth = await StoredTruth.open({ databaseUrl, redisNodes: [redis], isCluster: false });
    await setup.service.result('task.create', { id: TASK, text: 'x' });
    await setup.service.result('task.delete', { id: TASK });
    await until('its events are published', async () => (await truth.disagreements([TASK])).length === 0);
  });
  afterAll(async () => {
    await truth?.close();
    await setup?.close();
  });
  beforeEach(() => setup.forgetCache());

  it.each<
    [
      what: string,
      command: [name: string, ...args: (string | number)[]],
      lifetimeS: number | undefined,
      problems: string[],
    ]
  >([
    ['a body may outlive its record', ['hset', BODY, 'op', 'x'], LIFETIME_S, []],
    ['no body may stay for ever', ['hset', BODY, 'op', 'x'], undefined, [`${BODY} has no lifetime`]],
    ['no record may be left', ['hset', CONTROL, 'r:a', 'x'], LIFETIME_S, [`${CONTROL} r:a`]],
    ['it may not be known to exist', ['hset', CONTROL, 'o', 'x'], LIFETIME_S, [`${CONTROL} o`]],
    ['it may be known whose it was', ['hset', CONTROL, 'o', 'x', 'd', 2], LIFETIME_S, []],
    ['its deletion may not be known for ever', ['hset', CONTROL, 'd', 2], undefined, [`${CONTROL} has no lifetime`]],
  ])('%s', async (_what, [command, ...args], lifetimeS, problems) => {
    await withRedis((setup.servers as Servers).redis.url, async (redis) => {
      await redis.call(command, ...args);
      if (lifetimeS !== undefined) await redis.expire(args[0] as string, lifetimeS);
    });
    expect(await truth.disagreements([TASK])).toEqual(problems);
  });
});
