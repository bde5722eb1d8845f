import type { CallIds } from '../correlation/call-ids';
import type { AccessTokens } from './access-tokens';
import type { ApiKeys } from './api-keys';
import { AuthenticationFailure, isProven, type Identity } from './credential';
import { isPrintableName } from './printable-name';

const DEFAULT_ORGANIZATION = 'default';
const BEARER = /^bearer +([^ ]+) *$/i;

/** Reads a header of the message; the case of its name does not matter. */
export type ReadHeader = (name: string) => string | undefined;

/** How callers can prove their identity; with neither, authentication is off. */
export interface AuthenticationMeans {
  readonly apiKeys?: ApiKeys;
  readonly accessTokens?: AccessTokens;
}

/** Identifies the sender of a message, in the same way on every transport. */
export class Authenticator {
  constructor(
    private readonly means: AuthenticationMeans,
    /** While authentication is off, the name of a caller that gives none. */
    private readonly instanceId: string,
    private readonly onFailure: (failure: AuthenticationFailure, peer: string, ids?: CallIds) => void = () => undefined,
  ) {}

  get isOff(): boolean {
    return !this.means.apiKeys && !this.means.accessTokens;
  }

  /**
   * `peer` and `ids` name the sender and the message in the log if it proves nothing. Never rejects. If an `x-api-key`
   * is sent, it alone decides: a token does not make up for a wrong key.
   */
  async identify(readHeader: ReadHeader, peer: string, ids?: CallIds): Promise<Identity> {
    if (this.isOff) return this.unauthenticated(readHeader('x-instance-id'));
    const identity = await this.proven(readHeader('x-api-key'), readHeader('authorization'));
    if (!isProven(identity)) this.onFailure(identity, peer, ids);
    return identity;
  }

  private async proven(apiKey: string | undefined, authorization = ''): Promise<Identity> {
    const { apiKeys, accessTokens } = this.means;
    if (apiKey !== undefined) return apiKeys?.find(apiKey) ?? new AuthenticationFailure('unauthorized', 'wrong_key');
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return new AuthenticationFailure('unauthorized', 'missing');
    return accessTokens?.verify(token) ?? new AuthenticationFailure('unauthorized', 'wrong_token');
  }

  private unauthenticated(claimedName: string | undefined): Identity {
    const name = isPrintableName(claimedName) ? claimedName : this.instanceId;
    return { caller: { organization: DEFAULT_ORGANIZATION, name }, role: 'admin' };
  }
}
