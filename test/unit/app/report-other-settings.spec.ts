import { loadConfig } from '../../../src/app/config';
import { commonSettings } from '../../../src/app/report-other-settings';

const settingsOf = (env: Record<string, string>) => commonSettings(loadConfig({ AUTH: 'off', ...env }));
const SETTINGS = { NATS_URL: 'nats://nats:4222', REDIS_URL: 'redis://redis:6379/1' };

it.each([
  [{ NATS_PREFIX: 'staging' }, 'nats'],
  [{ NATS_URL: 'nats://elsewhere:4222' }, 'nats'],
  [{ NATS_URL: '' }, 'nats'],
  [{ REDIS_PREFIX: 'staging:' }, 'redis'],
  [{ REDIS_URL: 'redis://redis:6379/2' }, 'redis'],
  [{ REDIS_URL: '' }, 'redis'],
] as const)('a replica with %j has other settings for %s than one without', (change, which) => {
  const [one, other] = [settingsOf(SETTINGS), settingsOf({ ...SETTINGS, ...change })];
  const different = (['nats', 'redis'] as const).filter((name) => one[name] !== other[name]);
  expect(different).toEqual([which]);
});

it('replicas that log in differently have the same settings', () => {
  const other = { NATS_URL: 'nats://ada:secret@nats:4222', REDIS_URL: 'redis://ada:secret@redis:6379/1' };
  expect(settingsOf(other)).toEqual(settingsOf(SETTINGS));
});
