import { Logger, type LoggerService } from '@nestjs/common';
import type { Config } from './config';
import { AccessTokens } from '../inbound/auth/access-tokens';
import { API_KEYS, ApiKeys } from '../inbound/auth/api-keys';
import type { AuthenticationFailures } from '../inbound/auth/authentication-failures';
import { Authenticator } from '../inbound/auth/authenticator';
import { parseKeys, type Key, type KeyFileFormat } from '../inbound/auth/key-file';
import { OPERATOR_KEYS, OperatorKeys } from '../inbound/auth/operator-keys';
import { RereadFile } from './reread-file';

/** Says in the log what is not checked. Throws `ConfigError` if the key file cannot be used. */
export function openAuthenticator(config: Config): (failures: AuthenticationFailures) => Authenticator {
  const logger = new Logger('auth');
  const { apiKeysFile, accessTokens, instanceId, host } = config;
  const valid = keysIn(apiKeysFile, API_KEYS, logger);
  const apiKeys = valid && new ApiKeys(valid);
  if (!apiKeys && !accessTokens) {
    logger.warn(`authentication is off: every caller that can reach ${host} may do everything`);
  }
  if (accessTokens && !accessTokens.issuer) logger.warn('JWT_ISSUER is not set: tokens of every issuer are accepted');
  if (accessTokens && !accessTokens.audience)
    logger.warn('JWT_AUDIENCE is not set: tokens for every audience are accepted');
  const onOutage = (line: string) => logger.warn(line);
  const means = { apiKeys, accessTokens: accessTokens && new AccessTokens({ ...accessTokens, onOutage }) };
  return (failures) => new Authenticator(means, instanceId, failures.add);
}

/** Undefined if there are no operators. Throws `ConfigError` if the key file cannot be used. */
export function openOperatorKeys({ operatorKeysFile }: Config): OperatorKeys | undefined {
  const valid = keysIn(operatorKeysFile, OPERATOR_KEYS, new Logger('auth'));
  return valid && new OperatorKeys(valid);
}

function keysIn<Holder>(
  path: string | undefined,
  format: KeyFileFormat<Holder>,
  logger: LoggerService,
): (() => readonly Key<Holder>[]) | undefined {
  if (path === undefined) return undefined;
  const { variable } = format;
  const parse = (text: string) => parseKeys(text, format);
  const describe = (keys: readonly unknown[]) => `${keys.length} keys are valid`;
  const file = new RereadFile(path, { variable, kind: 'keys', parse, describe }, logger).watch();
  return () => file.content;
}
