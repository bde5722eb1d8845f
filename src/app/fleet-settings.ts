import { readFileSync } from 'node:fs';
import type { Config } from './config';
import { shortDigest } from './short-digest';

const DAY_MS = 86_400_000;
const DIGEST_LENGTH = 12;

/** The settings that should be the same for all replicas, so that they can be compared. No secret is among them. */
export function fleetSettings(config: Config): object {
  const { rateLimits, redis, nats } = config;
  return {
    retentionFinishedDays: config.finishedRetentionMs / DAY_MS,
    cacheTtlSeconds: config.cacheTtlMs / 1000,
    maxAttachmentBytes: config.maxAttachmentBytes,
    maxBodyBytes: config.maxBodyBytes,
    rateLimitPerMinute: rateLimits.perMinute,
    rateLimits: Object.fromEntries(
      [...rateLimits.perMethod].map(([method, { limit, windowMs }]) => [method, `${limit}/${windowMs}ms`]),
    ),
    redis: redis ? redis.prefix || true : false,
    nats: nats ? (nats.prefix ?? true) : false,
    apiKeys: digestOf(config.apiKeysFile),
    operatorKeys: digestOf(config.operatorKeysFile),
    quotas: digestOf(config.quotasFile),
    accessTokens: config.accessTokens !== undefined,
    mcp: config.mcp !== undefined,
    migrates: config.migrates,
  };
}

/** Of what is in the file now; null if it cannot be read. */
function digestOf(path: string | undefined): string | null {
  if (path === undefined) return 'none';
  try {
    return shortDigest(readFileSync(path), DIGEST_LENGTH);
  } catch {
    return null;
  }
}
