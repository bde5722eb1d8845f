import { Logger } from '@nestjs/common';
import type { Config } from './config';
import { ConfigError } from './environment';
import { AccessTokens } from '../inbound/auth/access-tokens';
import { ApiKeys } from '../inbound/auth/api-keys';
import type { AuthenticationFailures } from '../inbound/auth/authentication-failures';
import { Authenticator } from '../inbound/auth/authenticator';
import { KeyFileError, type KeyFile } from '../inbound/auth/key-file';
import { OperatorKeys } from '../inbound/auth/operator-keys';

/** Says in the log what is not checked. Throws `ConfigError` if the key file cannot be used. */
export function openAuthenticator(config: Config): (failures: AuthenticationFailures) => Authenticator {
  const logger = new Logger('auth');
  const { apiKeysFile, accessTokens, instanceId, host } = config;
  const apiKeys = watched('API_KEYS_FILE', apiKeysFile, (path) => ApiKeys.open(path, logger));
  if (!apiKeys && !accessTokens) {
    logger.warn(`authentication is off: every caller that can reach ${host} may do everything`);
  }
  if (accessTokens && !accessTokens.issuer) logger.warn('JWT_ISSUER is not set: tokens of every issuer are accepted');
  if (accessTokens && !accessTokens.audience)
    logger.warn('JWT_AUDIENCE is not set: tokens for every audience are accepted');
  const means = { apiKeys, accessTokens: accessTokens && new AccessTokens(accessTokens) };
  return (failures) => new Authenticator(means, instanceId, failures.add);
}

/** Undefined if there are no operators. Throws `ConfigError` if the key file cannot be used. */
export function openOperatorKeys({ operatorKeysFile }: Config): OperatorKeys | undefined {
  return watched('OPERATOR_KEYS_FILE', operatorKeysFile, (path) => OperatorKeys.open(path, new Logger('auth')));
}

function watched<File extends KeyFile<unknown>>(
  variable: string,
  path: string | undefined,
  open: (path: string) => File,
): File | undefined {
  if (path === undefined) return undefined;
  try {
    const file = open(path);
    file.watch();
    return file;
  } catch (error) {
    throw error instanceof KeyFileError ? new ConfigError(`${variable} ${error.message}`) : error;
  }
}
