import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { startNats } from '../support/nats-server';
import { keyOf, writeOrganizationKeys } from '../support/organization-keys';
import { until } from '../support/poll';
import { SETUPS, type Setup } from '../support/setups';
import type { RpcReply, Service } from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';

const GREEDY = keyOf('greedy');
const MODEST = keyOf('modest');

const MIB = 1024 * 1024;
/** One character that Latin-1 lacks: in memory the text takes twice its bytes. */
const BODY = `€${'x'.repeat(MIB - 3)}`;
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=192' };
const TYPED = ['REPLY_TOO_LARGE', 'OVERLOADED'];
const list = (limit: number, id = 1) => ({
  jsonrpc: '2.0',
  method: 'task.list_attachments',
  params: { taskId: 'large', limit },
  id,
});

async function codesOf(service: Service, message: object): Promise<unknown[]> {
  const { text } = await service.post(JSON.stringify(message), GREEDY);
  const reply = JSON.parse(text) as RpcReply | RpcReply[];
  return [reply].flat().map(({ result, error }) => (result ? (result['degraded'] ?? 'served') : error?.data?.['code']));
}

describe.each(SETUPS)('what callers may hold of a small heap, $name', ({ open }) => {
  const keys = writeOrganizationKeys('greedy', 'modest');
  let setup: Setup;

  beforeAll(async () => {
    setup = await open({ ...SMALL_HEAP, API_KEYS_FILE: keys.path });
    await setup.service.result('task.create', { id: 'large', text: 'x' }, GREEDY);
    await setup.service.result('task.create', { id: 'small', text: 'x' }, MODEST);
    for (let i = 0; i < 100; i++) {
      const params = { taskId: 'large', key: `k${i}`, type: 'text', content: BODY };
      await setup.service.result('task.create_attachment', params, GREEDY);
    }
  });
  afterAll(async () => {
    await setup?.close();
    keys.remove();
  });

  /** Meanwhile another caller is served all the time. */
  const attack = async (messages: readonly object[]) => {
    const { service } = setup;
    let isOver = false;
    const attacking = Promise.all(messages.map((message) => codesOf(service, message))).finally(() => (isOver = true));
    const modest: RpcReply[] = [];
    while (!isOver) {
      modest.push(await service.rpc('task.get', { id: 'small' }, MODEST));
      await sleep(20);
    }
    expect(modest.map(({ error }) => error).filter((error) => error !== undefined)).toEqual([]);
    return (await attacking).flat();
  };

  it.each(['cold', 'warm'])(
    'a list of 100 MiB is refused by its size, and its bodies are not read, with a %s cache',
    async (cache) => {
      if (cache === 'cold' && setup.servers) await setup.forgetCache();
      expect(await attack([list(100)])).toEqual(['REPLY_TOO_LARGE']);
      await setup.service.result('task.list_attachments', { taskId: 'large', includeBodies: false }, GREEDY);
    },
  );

  it('fifty such lists in one batch are refused one by one', async () => {
    const batch = Array.from({ length: 50 }, (_, i) => list(100, i));
    expect(await attack([batch])).toEqual(batch.map(() => 'REPLY_TOO_LARGE'));
  });

  it('eight such lists at once are refused one by one, too: none is an empty page', async () => {
    const lists = Array.from({ length: 8 }, () => list(100));
    expect(await attack(lists)).toEqual(lists.map(() => 'REPLY_TOO_LARGE'));
  });

  it('many lists at once are served as far as there is room; the others learn that, and none is an empty page', async () => {
    const codes = await attack(Array.from({ length: 24 }, () => list(8)));
    expect(codes.filter((code) => code !== 'served' && !TYPED.includes(String(code)))).toEqual([]);
    expect(codes).toContain('served');
    // Nothing is held any more.
    await until('a list is served', async () => (await codesOf(setup.service, list(8)))[0] === 'served');
  });

  it('many batch gets at once are served or refused in the same way', async () => {
    const requests = Array.from({ length: 8 }, (_, i) => ({ taskId: 'large', key: `k${i}` }));
    const call = { jsonrpc: '2.0', method: 'task.get_attachments_batch', params: { requests }, id: 1 };
    const codes = await attack(Array.from({ length: 24 }, () => call));
    expect(codes.filter((code) => code !== 'served' && !TYPED.includes(String(code)))).toEqual([]);
  });

  it('many large requests at once are received as far as there is room', async () => {
    const create = (i: number) => ({
      jsonrpc: '2.0',
      method: 'task.create_attachment',
      params: { taskId: 'large', key: `k${i}`, type: 'text', content: BODY },
      id: i,
    });
    const message = Array.from({ length: 6 }, (_, i) => create(i));
    const codes = await attack(Array.from({ length: 16 }, () => message));
    expect(codes.filter((code) => code !== 'served' && !['OVERLOADED', 'TIMEOUT'].includes(String(code)))).toEqual([]);
  });
});

it('replies over NATS are bounded, too', async () => {
  const nats = await startNats({ jetStream: false });
  const setup = await (SETUPS[0] as (typeof SETUPS)[0]).open({ ...SMALL_HEAP, NATS_URL: nats.url });
  const client = await connect({ servers: nats.url });
  try {
    await untilServedOverNats(nats.url);
    await setup.service.result('task.create', { id: 'large', text: 'x' });
    for (let i = 0; i < 40; i++) {
      await setup.service.result('task.create_attachment', {
        taskId: 'large',
        key: `k${i}`,
        type: 'text',
        content: BODY,
      });
    }
    const ask = async () => {
      const reply = await client.request('task.list_attachments', '{"taskId":"large"}', { timeout: 20_000 });
      return reply.json<RpcReply>().error?.data?.['code'];
    };
    const codes = await Promise.all(Array.from({ length: 8 }, ask));
    expect(codes.filter((code) => !TYPED.includes(String(code)))).toEqual([]);
  } finally {
    await client.close();
    await setup.close();
    await nats.stop();
  }
});
