import type { IncomingHttpHeaders } from 'node:http';
import type { Authenticator } from '../auth/authenticator';
import type { CallOrigin } from '../rpc/call-context';

/** Never rejects. */
export async function httpOrigin(headers: IncomingHttpHeaders, authenticator: Authenticator): Promise<CallOrigin> {
  return { transport: 'http', identity: await authenticator.identify((name) => utf8(headers[name])) };
}

/** Node reads header values as Latin-1, whatever their bytes are; clients send UTF-8. */
function utf8(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? Buffer.from(header, 'latin1').toString() : undefined;
}
