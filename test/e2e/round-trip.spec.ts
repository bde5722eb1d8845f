import fc from 'fast-check';
import { SETUPS, type Setup } from '../support/setups';

/** Stored attachments: each key with the JSON text of its value. */
type Stored = readonly (readonly [key: string, value: string])[];

const RUNS = 50;
const MAX_BATCH = 100;

/** Any UTF-16 code units: values keep unpaired surrogates and U+0000. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 5 }),
);
const anyNumber = fc.double({ noNaN: true, noDefaultInfinity: true });
const anyScalar = fc.oneof(fc.constantFrom(null, true, false, 0, -1, ''), anyText, anyNumber, fc.maxSafeInteger());
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    anyScalar,
    fc.array(tie('value'), { maxLength: 5 }),
    // A map, because its members may have any name and keep their order.
    fc.array(fc.tuple(anyText, tie('value')), { maxLength: 5 }).map((members) => new Map(members)),
  ),
}));
const anyKey = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).map((text) => text.replace(/\p{Cc}/gu, ':'));
const anyAttachments: fc.Arbitrary<Stored> = fc
  .array(fc.tuple(anyKey, anyValue.map(jsonText)), { minLength: 1, maxLength: 5 })
  .map((pairs) => [...new Map(pairs)]);

/** `JSON.stringify` would move integer-like names to the front of an object. */
function jsonText(value: unknown): string {
  if (value instanceof Map) {
    return `{${[...value].map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`).join(',')}}`;
  }
  return Array.isArray(value) ? `[${value.map(jsonText).join(',')}]` : JSON.stringify(value);
}

/** The keys in a reply and the text of their values, in the order of the reply. */
function storedIn(reply: string): Stored {
  return [...reply.matchAll(/"key":("(?:[^"\\]|\\.)*"),"type":"json","value":(.*?),"createdBy":"instance-1"/gs)].map(
    ([, key, value]) => [JSON.parse(key as string) as string, value as string],
  );
}

function byKey(stored: Stored): Record<string, string> {
  return Object.fromEntries(stored);
}

describe.each(SETUPS)('any value under any key, $name', ({ open }) => {
  let setup: Setup;
  beforeAll(async () => (setup = await open()));
  afterAll(() => setup?.close());

  const send = async (method: string, params: string) =>
    (await setup.service.post(`{"jsonrpc":"2.0","method":"${method}","params":{${params}},"id":1}`)).text;

  const answersAbout = async (taskId: string, stored: Stored) => {
    const refs = stored.map(([key]) => `"taskId":"${taskId}","key":${JSON.stringify(key)}`);
    return {
      gets: (await Promise.all(refs.map((ref) => send('task.get_attachment', ref)))).flatMap(storedIn),
      batch: storedIn(await send('task.get_attachments_batch', `"requests":[{${refs.join('},{')}}]`)),
      list: byKey(storedIn(await send('task.list_attachments', `"taskId":"${taskId}","limit":${MAX_BATCH}`))),
    };
  };

  it('is returned character for character from a warm cache and from a cold one', async () => {
    const written = new Map<string, Stored>();
    await fc.assert(
      fc.asyncProperty(anyAttachments, async (stored) => {
        const taskId = `task-${written.size}`;
        await setup.service.result('task.create', { id: taskId, text: 'any' });
        for (const [key, value] of stored) {
          const members = `"taskId":"${taskId}","key":${JSON.stringify(key)},"type":"json","value":${value}`;
          expect(await send('task.create_attachment', members)).toContain('"result"');
        }
        written.set(taskId, stored);
        // The first replies come from the database and fill the cache, from which the second ones come.
        for (let round = 0; round < 2; round++) {
          expect(await answersAbout(taskId, stored)).toEqual({
            gets: stored,
            batch: stored,
            list: byKey(stored),
          });
        }
      }),
      { numRuns: RUNS },
    );

    await setup.forgetCache();
    for (const [taskId, stored] of written) {
      expect(await answersAbout(taskId, stored)).toEqual({
        gets: stored,
        batch: stored,
        list: byKey(stored),
      });
    }
  });
});
