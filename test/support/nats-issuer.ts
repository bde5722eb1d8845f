import { createHash } from 'node:crypto';
import { nkeys } from '@nats-io/transport-node';

type KeyPair = ReturnType<typeof nkeys.createUser>;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const UNLIMITED = { subs: -1, data: -1, payload: -1 };
const OF_ACCOUNTS = { ...UNLIMITED, imports: -1, exports: -1, conn: -1, leaf: -1, wildcards: true };
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

export interface User {
  readonly publicKey: string;
  /** The text of its `.creds` file. */
  readonly credentials: string;
}

/** An operator with an account for users and one for the system, as `nsc` would create them. */
export class NatsIssuer {
  private readonly operator = nkeys.createOperator();
  private readonly account = nkeys.createAccount();
  private readonly system = nkeys.createAccount();

  /** Of a server that knows the accounts by itself; the tokens of revoked users are refused. */
  serverConfig(revoked: readonly User[] = []): string {
    const system = this.system.getPublicKey();
    const revocations = Object.fromEntries(revoked.map(({ publicKey }) => [publicKey, nowSeconds()]));
    const accounts = [
      this.accountToken(this.account, { limits: { ...OF_ACCOUNTS, ...JETSTREAM }, revocations }),
      this.accountToken(this.system, { limits: OF_ACCOUNTS }),
    ];
    const operator = { type: 'operator', version: 2, system_account: system };
    return [
      `operator: ${token(this.operator, this.operator.getPublicKey(), operator)}`,
      `system_account: ${system}`,
      'resolver: MEMORY',
      `resolver_preload: { ${accounts.join(', ')} }`,
    ].join('\n');
  }

  createUser(validSeconds?: number): User {
    const user = nkeys.createUser();
    const publicKey = user.getPublicKey();
    const expiry = validSeconds === undefined ? {} : { exp: nowSeconds() + validSeconds };
    const jwt = token(this.account, publicKey, { type: 'user', version: 2, ...UNLIMITED }, expiry);
    const seed = Buffer.from(user.getSeed()).toString();
    const block = (what: string, text: string) => `-----BEGIN ${what}-----\n${text}\n------END ${what}------\n`;
    return { publicKey, credentials: block('NATS USER JWT', jwt) + block('USER NKEY SEED', seed) };
  }

  private accountToken(account: KeyPair, claims: object): string {
    const publicKey = account.getPublicKey();
    return `${publicKey}: ${token(this.operator, publicKey, { type: 'account', version: 2, ...claims })}`;
  }
}

/** A JSON Web Token as NATS has it: signed with an nkey, and named by the hash of what it says. */
function token(signer: KeyPair, subject: string, claims: object, expiry: object = {}): string {
  const payload = {
    iat: nowSeconds(),
    iss: signer.getPublicKey(),
    sub: subject,
    name: 'test',
    ...expiry,
    nats: claims,
  };
  const jti = base32(createHash('sha512-256').update(JSON.stringify(payload)).digest());
  const text = `${encoded({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encoded({ ...payload, jti })}`;
  return `${text}.${Buffer.from(signer.sign(Buffer.from(text))).toString('base64url')}`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => BASE32[parseInt(five.padEnd(5, '0'), 2)]).join('');
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
