import { Logger } from '@nestjs/common';
import { natsAddress } from '../outbound/nats/nats-address';
import type { CommonSettings, OnOtherSettings } from '../outbound/postgres/fellow-replicas';
import { redisAddress } from '../outbound/redis/redis-address';
import type { Config } from './config';
import type { RedisConfig } from './redis-config';
import { shortDigest } from './short-digest';

const DIGEST_LENGTH = 8;
const TEXTS: Readonly<Record<keyof CommonSettings, string>> = {
  nats: 'other NATS settings (NATS_URL, NATS_PREFIX): one replica publishes for all of them, with its own',
  redis:
    'another Redis (REDIS_URL, REDIS_PREFIX): each answers from its own, and what one has journaled the others do not know',
};

/** Warns of replicas on this database that contradict this one. */
export const reportOtherSettings: OnOtherSettings = (setting, replicas) => {
  new Logger('main').warn(`replicas on this database have ${TEXTS[setting]}. They are: ${replicas.join(', ')}`);
};

/** Of the addresses and the prefixes: logins and certificates may differ, and no secret may show. */
export function commonSettings({ nats, redis }: Config): CommonSettings {
  return {
    nats: nats ? digestOf([natsAddress(nats.url).servers, nats.prefix]) : 'none',
    redis: redis ? digestOf([addressOf(redis), redis.prefix]) : 'none',
  };
}

function addressOf({ url, cluster }: RedisConfig) {
  const { nodes, db } = redisAddress(url, cluster);
  return { nodes, db };
}

function digestOf(parts: readonly unknown[]): string {
  return shortDigest(JSON.stringify(parts), DIGEST_LENGTH);
}
