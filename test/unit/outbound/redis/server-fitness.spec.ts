import { ReplyError } from 'ioredis';
import {
  incompletenessOf,
  mismatchOf,
  unfitnessOf,
  unknownFitness,
} from '../../../../src/outbound/redis/server-fitness';

const ReplyErrorOf = ReplyError as unknown as new (message: string) => Error;

describe('the fitness of Redis', () => {
  it('is unknown if INFO lacks a setting, whatever else it says', () => {
    const unknown = expect.stringMatching(/fitness unknown: .*, as INFO does not tell its settings\.$/) as string;
    expect(unfitnessOf('')).toEqual(unknown);
    expect(unfitnessOf('aof_enabled:1\r\n')).toEqual(unknown);
    expect(unfitnessOf('maxmemory_policy:noeviction\r\naof_enabled:1\r\n')).toBeUndefined();
    expect(unfitnessOf('aof_enabled:0\r\n')).toMatch(/^appendonly is off: .* fitness unknown: /);
  });

  it('is unknown if INFO is refused, and not spoken of if there is no reply', () => {
    const refusal = new ReplyErrorOf("NOPERM User secret has no permissions to run the 'info' command");
    expect(unknownFitness(refusal)).toMatch(/^fitness unknown: ((?!secret).)*\(NOPERM\)/);
    expect(unknownFitness(new Error('Command timed out'))).toBeUndefined();
  });

  it('tells which part of a cluster is unavailable, and leaves an outage of all of it to others', () => {
    expect(incompletenessOf(22, 64)).toMatch(/^22 of 64 shards of the cluster are unavailable/);
    expect(incompletenessOf(0, 64)).toBeUndefined();
    expect(incompletenessOf(64, 64)).toBeUndefined();
  });

  it('is not spoken of if the server is of another kind than the settings say', () => {
    const reason = 'REDIS_URL leads to a node of Redis Cluster, and REDIS_CLUSTER is not true.';
    expect(unfitnessOf('redis_mode:cluster\r\naof_enabled:0\r\n', false)).toBe(reason);
    expect(mismatchOf('redis_mode:cluster\r\n', false)).toBe(reason);
    expect(mismatchOf('redis_mode:cluster\r\n', true)).toBeUndefined();
    expect(mismatchOf('redis_mode:standalone\r\n', false)).toBeUndefined();
    expect(mismatchOf('redis_mode:sentinel\r\n', true)).toMatch(/^REDIS_URL leads to a Sentinel/);
  });
});
