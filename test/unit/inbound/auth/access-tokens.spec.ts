import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT, type JWTPayload } from 'jose';
import { AccessTokens } from '../../../../src/inbound/auth/access-tokens';
import { isFitForTokens } from '../../../../src/inbound/auth/token-key';
import { AuthenticationFailure } from '../../../../src/inbound/auth/credential';
import { atOnce } from '../../../support/at-once';
import { until } from '../../../support/poll';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const issuer = 'https://issuer.test';
const audience = 'dossier';
const claims = { organization: 'acme', role: 'write', sub: 'user-1' };
const credential = {
  id: 'token:["acme","user-1"]',
  caller: { organization: 'acme', name: 'user-1' },
  role: 'write',
  expiresAtMs: expect.any(Number) as unknown,
};
const unauthorized = new AuthenticationFailure('unauthorized');

/** The status of an answer that never comes. */
const HANGS = 0;

interface Signing {
  readonly key?: KeyObject;
  readonly alg?: string;
  readonly kid?: string;
  readonly expiresIn?: string;
}

/** Good but for what is said of it. */
function sign(more: JWTPayload = {}, { key = privateKey, alg = 'ES256', kid, expiresIn = '1h' }: Signing = {}) {
  const payload = Object.fromEntries(
    Object.entries({ iss: issuer, aud: audience, ...claims, ...more }).filter(([, value]) => value !== undefined),
  );
  return new SignJWT(payload).setProtectedHeader({ alg, kid }).setExpirationTime(expiresIn).sign(key);
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('tokens signed with the key of JWT_PUBLIC_KEY', () => {
  const tokens = new AccessTokens({ keys: { publicKey }, issuer, audience });

  it('a token names its caller: by its name, or else by its subject', async () => {
    expect(await tokens.verify(await sign())).toEqual(credential);
    const named = await tokens.verify(await sign({ name: 'Zoë', role: 'admin' }));
    expect(named).toEqual({ ...credential, caller: { organization: 'acme', name: 'Zoë' }, role: 'admin' });
  });

  it('a token may be signed with RSA or Ed25519 as well, and on other curves', async () => {
    for (const [pair, alg] of [
      [generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'],
      [generateKeyPairSync('ed25519'), 'EdDSA'],
      [generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ES384'],
      [generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'ES512'],
    ] as const) {
      expect(isFitForTokens(pair.publicKey)).toBe(true);
      const verifier = new AccessTokens({ keys: { publicKey: pair.publicKey } });
      expect(await verifier.verify(await sign({}, { key: pair.privateKey, alg }))).toEqual(credential);
    }
  });

  it.each<readonly [string, JWTPayload, Signing]>([
    ['signed by another', {}, { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['expired', {}, { expiresIn: '-1s' }],
    ['not valid yet', { nbf: Math.floor(Date.now() / 1000) + 3600 }, {}],
    ['of another issuer', { iss: 'https://other.test' }, {}],
    ['of no issuer', { iss: undefined }, {}],
    ['for another audience', { aud: 'other' }, {}],
    ['for no audience', { aud: undefined }, {}],
    ['without an organisation', { organization: undefined }, {}],
    ['with an organisation that is no name', { organization: ['acme'] }, {}],
    ['with a blank organisation', { organization: ' \u3000' }, {}],
    ['without a role', { role: undefined }, {}],
    ['with an unknown role', { role: 'root' }, {}],
    ['without a name', { sub: undefined }, {}],
    ['with a name that cannot be stored', { name: 'a\0b' }, {}],
  ])('a token that is %s proves nothing', async (_name, more, signing) => {
    expect(await tokens.verify(await sign(more, signing))).toEqual(unauthorized);
  });

  it('a token says when it expires', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = await new SignJWT({ iss: issuer, aud: audience, ...claims, exp })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(privateKey);
    expect(await tokens.verify(token)).toMatchObject({ expiresAtMs: exp * 1000 });
  });

  it('the operator learns that a token has expired, or is wrong', async () => {
    expect(await tokens.verify(await sign({}, { expiresIn: '-1s' }))).toMatchObject({ reason: 'expired_token' });
    expect(await tokens.verify(await sign({ role: 'root' }))).toMatchObject({ reason: 'wrong_token' });
    expect(await tokens.verify('a.b.c')).toMatchObject({ reason: 'wrong_token' });
  });

  it('a token that never expires proves nothing', async () => {
    const eternal = await new SignJWT({ iss: issuer, aud: audience, ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(privateKey);
    expect(await tokens.verify(eternal)).toEqual(unauthorized);
  });

  it('a forged token proves nothing', async () => {
    const [header, payload, signature] = (await sign()).split('.') as [string, string, string];
    const richer = encode({ iss: issuer, aud: audience, ...claims, role: 'admin', exp: 4_000_000_000 });
    const hs256 = `${encode({ alg: 'HS256' })}.${richer}`;
    const mac = createHmac('sha256', publicKey.export({ type: 'spki', format: 'pem' })).update(hs256);
    const forged = {
      changed: `${header}.${richer}.${signature}`,
      unsigned: `${encode({ alg: 'none' })}.${richer}.`,
      'signed with the public key as a secret': `${hs256}.${mac.digest('base64url')}`,
      truncated: `${header}.${payload}`,
      empty: '',
      rubbish: 'a.b.c',
    };
    const outcomes = await Promise.all(Object.values(forged).map((token) => tokens.verify(token)));
    expect(outcomes).toEqual(Object.values(forged).map(() => unauthorized));
  });
});

describe('tokens signed with a key of the set at JWT_JWKS_URL', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let server: Server;
  let jwksUrl: string;
  /** `text` takes the place of the set. */
  let answer: { status: number; kids: string[]; text?: string };
  /** Why the set is unavailable, as the operator learns it. */
  let said: string[];
  const onOutage = (line: string) => void said.push(line);
  let requests: number;

  beforeEach(async () => {
    requests = 0;
    said = [];
    answer = { status: 200, kids: ['one'] };
    const keys = { one: publicKey, two: createPublicKey(other.privateKey) };
    server = createServer((_request, response) => {
      requests += 1;
      if (answer.status === HANGS) return;
      const described = answer.kids.map(async (kid) => ({
        ...(await exportJWK(keys[kid as 'one'])),
        kid,
        alg: 'ES256',
      }));
      void Promise.all(described).then((set) =>
        response
          .writeHead(answer.status, { 'content-type': 'application/json' })
          .end(answer.text ?? JSON.stringify({ keys: set })),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('a token is checked with the key that it names', async () => {
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    expect(await tokens.verify(await sign({}, { kid: 'one' }))).toEqual(credential);
    expect(await tokens.verify(await sign({}, { kid: 'one', key: other.privateKey }))).toEqual(unauthorized);
    expect(await tokens.verify(await sign({}, { kid: 'two', key: other.privateKey }))).toEqual(unauthorized);
  });

  it('a token is still checked with a known key while the set cannot be fetched', async () => {
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    await tokens.verify(await sign({}, { kid: 'one' }));
    answer = { status: 500, kids: [] };
    expect(await tokens.verify(await sign({}, { kid: 'one' }))).toEqual(credential);
  });

  it('a token is neither right nor wrong while its key cannot be fetched', async () => {
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    const unavailable = new AuthenticationFailure('unavailable');
    answer = { status: 500, kids: [] };
    expect(await tokens.verify(await sign({}, { kid: 'one' }))).toEqual(unavailable);
    answer = { status: 200, kids: ['one', 'two'] };
    const token = await sign({}, { kid: 'two', key: other.privateKey });
    // The set is not requested again at once.
    await until('the set is fetched', async () => 'caller' in (await tokens.verify(token)));
    expect(await tokens.verify(token)).toEqual(credential);
  });

  it.each([
    [{ status: 404, kids: [] }, 'status 404'],
    [{ status: 302, kids: [] }, 'status 302'],
    [{ status: 200, kids: [], text: '<html>' }, 'Failed to parse the JSON Web Key Set HTTP response as JSON'],
    [{ status: 200, kids: [], text: '{"keys":{}}' }, 'JSON Web Key Set malformed'],
    [{ status: HANGS, kids: [] }, 'no answer in 2000 ms'],
  ])('the operator learns once why the set is unavailable, if the answer is %j', async (wrong, reason) => {
    answer = wrong;
    const tokens = new AccessTokens({ keys: { jwksUrl: `${jwksUrl}?secret=query` }, onOutage });
    const token = await sign({}, { kid: 'one' });
    await Promise.all([tokens.verify(token), tokens.verify(token)]);
    expect(said).toEqual([`the key set at ${jwksUrl} is unavailable: ${reason}`]);
    await until('the set was requested again', async () => {
      await tokens.verify(token);
      return requests > 1;
    });
    expect(said).toHaveLength(1);
  });

  it('the operator learns that nobody listens at the address of the set', async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const tokens = new AccessTokens({ keys: { jwksUrl }, onOutage });
    await tokens.verify(await sign({}, { kid: 'one' }));
    expect(said).toEqual([`the key set at ${jwksUrl} is unavailable: connect ECONNREFUSED 127.0.0.1:${port}`]);
  });

  it('the operator learns of a further reason, and of the same one in a later outage', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
    const wallClock = jest.spyOn(Date, 'now').mockReturnValue(Date.now());
    const tokens = new AccessTokens({ keys: { jwksUrl }, onOutage });
    const token = await sign({}, { kid: 'one' });
    for (const [i, status] of [404, 500, 404, 200, 404].entries()) {
      clock.mockReturnValue(i * 1000);
      if (status === 404 && i > 3) wallClock.mockReturnValue(Date.now() + 11 * 60_000);
      answer.status = status;
      await tokens.verify(token);
    }
    wallClock.mockRestore();
    clock.mockRestore();
    expect(said.map((line) => line.slice(-'status 404'.length))).toEqual(['status 404', 'status 500', 'status 404']);
    expect(requests).toBe(5);
  });

  it('a token without a key id is checked with every key that fits', async () => {
    answer.kids = ['one', 'two'];
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    expect(await tokens.verify(await sign())).toEqual(credential);
    expect(await tokens.verify(await sign({}, { key: other.privateKey }))).toEqual(credential);
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    expect(await tokens.verify(await sign({}, { key: stranger }))).toEqual(unauthorized);
    expect(await tokens.verify(await sign({ aud: 'other' }))).toEqual(unauthorized);
  });

  it.each([undefined, 'rsa'])('a key that is too weak spoils no other key of the set (key id: %s)', async (kid) => {
    const [weak, strong] = [1024, 2048].map((modulusLength) => generateKeyPairSync('rsa', { modulusLength }));
    const keys = await Promise.all(
      [weak, strong].map(async (pair) => ({ ...(await exportJWK(pair!.publicKey)), kid })),
    );
    const token = await sign({}, { key: strong!.privateKey, alg: 'RS256', kid });
    const late = await sign({}, { key: strong!.privateKey, alg: 'RS256', kid, expiresIn: '-1s' });
    for (const inOrder of [keys, keys.toReversed()]) {
      answer.text = JSON.stringify({ keys: inOrder });
      const tokens = new AccessTokens({ keys: { jwksUrl } });
      expect(await tokens.verify(token)).toEqual(credential);
      expect(await tokens.verify(late)).toMatchObject({ reason: 'expired_token' });
    }
  });

  it('a set that cannot be fetched is requested once, however many tokens wait for it', async () => {
    answer.status = HANGS;
    const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now());
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    const token = await sign({}, { kid: 'one' });
    const unavailable = new AuthenticationFailure('unavailable');
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => tokens.verify(token)));
    expect(outcomes).toEqual(outcomes.map(() => unavailable));
    for (let i = 0; i < 100; i++) expect(await atOnce(tokens.verify(token))).toEqual(unavailable);
    expect(requests).toBe(1);
    clock.mockRestore();
  });

  it('a thousand tokens may wait for the set: further ones are told at once that it is not there', async () => {
    answer.status = HANGS;
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    const token = await sign({}, { kid: 'one' });
    const unavailable = new AuthenticationFailure('unavailable');
    let told = 0;
    const waiting = Array.from({ length: 1000 }, () => tokens.verify(token).finally(() => (told += 1)));
    expect(await tokens.verify(token)).toEqual(unavailable);
    expect(told).toBe(0);
    await Promise.all(waiting);
    answer.status = 200;
    await until('the set is fetched', async () => 'caller' in (await tokens.verify(token)));
  });

  it('a flood of unknown key ids does not reach the issuer, and known keys stay valid', async () => {
    const tokens = new AccessTokens({ keys: { jwksUrl }, issuer, audience });
    expect(await tokens.verify(await sign({}, { kid: 'one' }))).toEqual(credential);
    answer.status = HANGS;
    const unknown = await Promise.all(Array.from({ length: 100 }, (_, i) => sign({}, { kid: `unknown-${i}` })));
    expect(await Promise.all(unknown.map((token) => tokens.verify(token)))).toEqual(unknown.map(() => unauthorized));
    expect(await tokens.verify(await sign({}, { kid: 'one' }))).toEqual(credential);
    expect(requests).toBe(1);
  });
});
