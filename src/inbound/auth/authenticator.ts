import type { AccessTokens } from './access-tokens';
import type { ApiKeys } from './api-keys';
import { AuthenticationFailure, type Identity } from './credential';
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
  ) {}

  private get isOff(): boolean {
    return !this.means.apiKeys && !this.means.accessTokens;
  }

  /** Never rejects. If an `x-api-key` is sent, it alone decides: a token does not make up for a wrong key. */
  async identify(readHeader: ReadHeader): Promise<Identity> {
    if (this.isOff) return this.unauthenticated(readHeader('x-instance-id'));
    const identity = await this.proven(readHeader('x-api-key'), readHeader('authorization'));
    return identity ?? new AuthenticationFailure('unauthorized');
  }

  private async proven(apiKey: string | undefined, authorization = ''): Promise<Identity | undefined> {
    if (apiKey !== undefined) return this.means.apiKeys?.find(apiKey);
    const token = BEARER.exec(authorization)?.[1];
    return token === undefined ? undefined : this.means.accessTokens?.verify(token);
  }

  private unauthenticated(claimedName: string | undefined): Identity {
    const name = isPrintableName(claimedName) ? claimedName : this.instanceId;
    return { caller: { organization: DEFAULT_ORGANIZATION, name }, role: 'admin' };
  }
}
