import { nearName } from '../../../../src/inbound/methods/near-name';

const NAMES = ['taskId', 'key', 'type', 'value', 'content', 'mimeType', 'ttlSeconds', 'keyPrefix', 'includeBodies'];

describe('the name that was probably meant', () => {
  it.each([
    ['taskid', 'taskId'],
    ['task_id', 'taskId'],
    ['TASK-ID', 'taskId'],
    ['tsakId', 'taskId'],
    ['id', 'taskId'],
    ['Key', 'key'],
    ['kez', 'key'],
    ['contents', 'content'],
    ['contnet', 'content'],
    ['vlaue', 'value'],
    ['ttl', 'ttlSeconds'],
    ['prefix', 'keyPrefix'],
    ['bodies', 'includeBodies'],
  ])('for %s is %s', (given, meant) => {
    expect(nearName(given, NAMES)).toBe(meant);
  });

  it.each(['', 'a', 'k', 'data', 'oops', 'ab', '__proto__', 'constructor', 'toString', 'x'.repeat(100_000)])(
    'for %j there is none',
    (given) => {
      expect(nearName(given, NAMES)).toBeUndefined();
    },
  );
});
