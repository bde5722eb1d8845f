import { Logger } from '@nestjs/common';
import type { Registry } from 'prom-client';
import type { Config } from './config';
import { ConfigError } from './environment';
import { AccessTokens } from '../inbound/auth/access-tokens';
import { ApiKeyFileError, ApiKeys } from '../inbound/auth/api-keys';
import { AuthenticationFailures } from '../inbound/auth/authentication-failures';
import { Authenticator } from '../inbound/auth/authenticator';
import { BoundedLog } from '../inbound/load/bounded-log';

/** Says in the log what is not checked. Throws `ConfigError` if the key file cannot be used. */
export function openAuthenticator(config: Config): (registry: Registry) => Authenticator {
  const logger = new Logger('auth');
  const { apiKeysFile, accessTokens, instanceId, host } = config;
  const apiKeys = apiKeysFile === undefined ? undefined : openApiKeys(apiKeysFile, logger);
  if (!apiKeys && !accessTokens) {
    logger.warn(`authentication is off: every caller that can reach ${host} may do everything`);
  }
  if (accessTokens && !accessTokens.issuer) logger.warn('JWT_ISSUER is not set: tokens of every issuer are accepted');
  if (accessTokens && !accessTokens.audience)
    logger.warn('JWT_AUDIENCE is not set: tokens for every audience are accepted');
  const means = { apiKeys, accessTokens: accessTokens && new AccessTokens(accessTokens) };
  const log = new BoundedLog((line, ids) => logger.warn(line, ids));
  return (registry) => new Authenticator(means, instanceId, new AuthenticationFailures(registry, log).add);
}

function openApiKeys(path: string, logger: Logger): ApiKeys {
  try {
    const apiKeys = ApiKeys.open(path, logger);
    apiKeys.watch();
    return apiKeys;
  } catch (error) {
    throw error instanceof ApiKeyFileError ? new ConfigError(`API_KEYS_FILE ${error.message}`) : error;
  }
}
