import { OUTBOX_HARNESSES, type OutboxHarness } from './outbox.harness';
import { NOW_MS, ORGANIZATION, storedTask, TIMEOUT_MS } from './attachment-store.harness';

describe.each(OUTBOX_HARNESSES)('StoreServer %s', (_, open) => {
  let harness: OutboxHarness;
  beforeAll(async () => {
    harness = await open();
  });
  afterAll(() => harness?.close());
  const look = () => harness.server.look();

  it('is the same server as long as it is not replaced', async () => {
    const first = await look();
    expect(await look()).toEqual(first);
    expect(first.past.has(first.epoch)).toBe(false);
  });

  it('begins the epoch after the present one once, however many replicas ask for it', async () => {
    const before = await look();
    await Promise.all([harness.server.beginEpoch(before.epoch), harness.server.beginEpoch(before.epoch)]);
    const after = await look();
    expect(after.databaseId).toBe(before.databaseId);
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.past).toEqual(new Set([...before.past, before.epoch]));
    await harness.server.beginEpoch(before.epoch);
    expect(await look()).toEqual(after);
  });

  it('is the one that the outbox tells of', async () => {
    expect((await harness.outbox.changes(undefined, 10, 1000)).identity).toEqual(await look());
  });

  it('serves calls when it is the one to be used', async () => {
    const { id } = await storedTask(harness);
    harness.server.use(await look());
    const task = await harness.tasks.get(id, ORGANIZATION, NOW_MS, TIMEOUT_MS);
    expect(task?.task.id).toBe(id);
  });
});
