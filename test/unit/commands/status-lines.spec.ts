import { differences, linesOf } from '../../../src/commands/remote/status-lines';

const statusOf = (settings: object, more: object = {}) => ({ instanceId: 'r', version: '1.0.0', settings, ...more });

describe('what dossier status prints', () => {
  it('has a line for each value, also of members that another version has', () => {
    const status = {
      ready: true,
      dependencies: { redis: { state: 'up' } },
      breakersOpen: [],
      novelty: { at: 7 },
      outbox: null,
    };
    expect(linesOf(status)).toEqual([
      'ready: yes',
      'dependencies.redis.state: up',
      'breakersOpen: none',
      'novelty.at: 7',
      'outbox: unknown',
    ]);
  });

  it('never commands the terminal', () => {
    expect(linesOf({ instanceId: 'a\u001b[2J' })).toEqual(['instanceId: a?[2J']);
  });

  it('names the settings and versions in which replicas differ, and nothing that may differ', () => {
    const replicas = [
      { url: 'a', status: statusOf({ retentionFinishedDays: 30, rateLimits: {} }, { instanceId: 'a', ready: true }) },
      {
        url: 'b',
        status: statusOf({ retentionFinishedDays: 0, rateLimits: { 'task.get': '1/1ms' } }, { version: '1.1.0' }),
      },
    ];
    expect(differences(replicas)).toEqual({
      version: ['1.0.0 at a', '1.1.0 at b'],
      'settings.retentionFinishedDays': ['30 at a', '0 at b'],
      'settings.rateLimits': ['none at a', 'unknown at b'],
      'settings.rateLimits.task.get': ['unknown at a', '1/1ms at b'],
    });
    expect(differences(replicas.slice(0, 1))).toEqual({});
  });
});
