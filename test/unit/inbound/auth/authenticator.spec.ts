import { Registry } from 'prom-client';
import type { AccessTokens } from '../../../../src/inbound/auth/access-tokens';
import type { ApiKeys } from '../../../../src/inbound/auth/api-keys';
import { AuthenticationFailures } from '../../../../src/inbound/auth/authentication-failures';
import { Authenticator } from '../../../../src/inbound/auth/authenticator';
import { AuthenticationFailure, type Credential } from '../../../../src/inbound/auth/credential';
import { BoundedLog } from '../../../../src/inbound/load/bounded-log';

const byKey: Credential = { caller: { organization: 'acme', name: 'key' }, role: 'read' };
const byToken: Credential = { caller: { organization: 'acme', name: 'token' }, role: 'write' };
const unauthorized = new AuthenticationFailure('unauthorized');

const apiKeys = { find: (key: string) => (key === 'good' ? byKey : undefined) } as ApiKeys;
const accessTokens = {
  verify: (token: string) => Promise.resolve(token === 'a.b.c' ? byToken : unauthorized),
} as AccessTokens;

function identify(authenticator: Authenticator, headers: Record<string, string>) {
  return authenticator.identify((name) => headers[name], '192.0.2.1');
}

describe('authentication with keys and tokens', () => {
  const authenticator = new Authenticator({ apiKeys, accessTokens }, 'replica-1');

  it.each<[Record<string, string>, Credential | AuthenticationFailure]>([
    [{ 'x-api-key': 'good' }, byKey],
    [{ 'x-api-key': 'wrong' }, unauthorized],
    [{ 'x-api-key': '' }, unauthorized],
    [{ authorization: 'Bearer a.b.c' }, byToken],
    [{ authorization: 'bearer  a.b.c ' }, byToken],
    [{ authorization: 'Bearer x.y.z' }, unauthorized],
    [{ authorization: 'Bearer' }, unauthorized],
    [{ authorization: 'Basic a.b.c' }, unauthorized],
    [{ authorization: 'a.b.c' }, unauthorized],
    [{ 'x-api-key': 'good', authorization: 'Bearer x.y.z' }, byKey],
    [{ 'x-api-key': 'wrong', authorization: 'Bearer a.b.c' }, unauthorized],
    [{ 'x-instance-id': 'someone' }, unauthorized],
    [{}, unauthorized],
  ])('the headers %j identify the right caller or none', async (headers, identity) => {
    expect(await identify(authenticator, headers)).toEqual(identity);
  });
});

describe('authentication with one of the two', () => {
  it('the other kind of credential is refused', async () => {
    const headers = { 'x-api-key': 'good', authorization: 'Bearer a.b.c' };
    expect(await identify(new Authenticator({ accessTokens }, 'replica-1'), headers)).toEqual(unauthorized);
    const { authorization } = headers;
    expect(await identify(new Authenticator({ apiKeys }, 'replica-1'), { authorization })).toEqual(unauthorized);
  });
});

describe('authentication that is off', () => {
  it('every caller may do everything, under the name that it gives', async () => {
    const authenticator = new Authenticator({}, 'replica-1');
    const admin = (name: string) => ({ caller: { organization: 'default', name }, role: 'admin' });
    expect(await identify(authenticator, {})).toEqual(admin('replica-1'));
    expect(await identify(authenticator, { 'x-instance-id': 'worker', 'x-api-key': 'wrong' })).toEqual(admin('worker'));
    expect(await identify(authenticator, { 'x-instance-id': 'a\tb' })).toEqual(admin('replica-1'));
  });
});

describe('failed authentications', () => {
  it('give a line with the ids of the message', async () => {
    const ids: unknown[] = [];
    const log = new BoundedLog((_line, ofMessage) => ids.push(ofMessage));
    const failures = new AuthenticationFailures(new Registry(), log);
    const authenticator = new Authenticator({ apiKeys }, 'replica-1', failures.add);
    await authenticator.identify(() => undefined, '192.0.2.1', { requestId: 'r-1' });
    expect(ids).toEqual([{ requestId: 'r-1' }]);
  });

  it('are counted by reason, and give one log line with the peer', async () => {
    const registry = new Registry();
    const lines: string[] = [];
    const failures = new AuthenticationFailures(registry, new BoundedLog((line) => lines.push(line)));
    const authenticator = new Authenticator({ apiKeys, accessTokens }, 'replica-1', failures.add);
    await identify(authenticator, { 'x-api-key': 'secret' });
    await identify(authenticator, {});
    await identify(authenticator, {});
    await identify(authenticator, { 'x-api-key': 'good' });
    const metrics = await registry.metrics();
    const count = (reason: string) =>
      new RegExp(`^dossier_authentication_failures_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(metrics)?.[1];
    expect([count('wrong_key'), count('missing'), count('wrong_token')]).toEqual(['1', '2', '0']);
    expect(lines).toEqual(['authentication failed: an unknown key, from 192.0.2.1']);
  });
});
