import { Logger } from '@nestjs/common';
import type { Config } from './config';
import { ConfigError } from './environment';
import { AccessTokens } from '../inbound/auth/access-tokens';
import { ApiKeyFileError, ApiKeys } from '../inbound/auth/api-keys';
import { Authenticator } from '../inbound/auth/authenticator';

/** Says in the log what is not checked. Throws `ConfigError` where the key file cannot be used. */
export function openAuthenticator(config: Config): Authenticator {
  const logger = new Logger('auth');
  const { apiKeysFile, accessTokens, instanceId, host } = config;
  const apiKeys = apiKeysFile === undefined ? undefined : openApiKeys(apiKeysFile, logger);
  if (!apiKeys && !accessTokens) {
    logger.warn(`authentication is off: whoever can reach ${host} may do everything`);
  }
  if (accessTokens && !accessTokens.issuer) logger.warn('JWT_ISSUER is not set: any issuer will do');
  if (accessTokens && !accessTokens.audience) logger.warn('JWT_AUDIENCE is not set: any audience will do');
  return new Authenticator({ apiKeys, accessTokens: accessTokens && new AccessTokens(accessTokens) }, instanceId);
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
