import type { RemoteConfig } from '../../app/remote-config';
import { jsonMembers } from '../../core/domain/json-text';
import { causeOf } from '../../app/cause-of';
import { CommandError, EXIT } from '../exit-code';

/** An error as JSON-RPC prints it. */
export interface RemoteError {
  readonly code: number;
  readonly message: string;
  readonly data?: {
    readonly code?: string;
    readonly reason?: string;
    readonly neededRole?: string;
    readonly errors?: readonly { field: string; message: string }[];
  };
}

/** The service has refused or failed a call. The message names each wrong field in a line of its own. */
export class RemoteRefusal extends CommandError {
  constructor(
    readonly error: RemoteError,
    /** After which the service asks to come again. */
    readonly retryAfterMs: number,
    hint = '',
  ) {
    const { message, data } = error;
    const fields = (data?.errors ?? []).map((problem) => `\n  ${problem.field}: ${problem.message}`);
    const word = data?.code === undefined ? '' : ` (${data.code})`;
    const role = data?.neededRole === undefined ? '' : `: needs the role ${data.neededRole}`;
    const reason = data?.reason === undefined ? role : `: ${data.reason}`;
    super(
      `${message}${word}${reason}${fields.join('')}${hint}`,
      PASSING_CODES.includes(error.code) ? EXIT.unavailable : EXIT.refused,
    );
  }
}

/** Rate limit, service unavailable, a store that has failed. */
const PASSING_CODES = [-32000, -32001, -32500];
const PASSING_STATUSES = [502, 503, 504];
const SECOND_MS = 1000;

/** A running service, over HTTP. Results stay text: to parse them would change large numbers. */
export class RemoteService {
  private calls = 0;

  constructor(
    private readonly config: RemoteConfig,
    private readonly timeoutMs: number,
  ) {}

  /** Takes and returns JSON text. Throws `CommandError`. */
  async call(method: string, params: string): Promise<string> {
    const id = String(++this.calls);
    const body = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`;
    const headers = { 'content-type': 'application/json', ...this.config.headers };
    const url = `${this.config.url}/rpc`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(this.timeoutMs) });
      text = await response.text();
    } catch (error) {
      const reason = (error as Error).name === 'TimeoutError' ? `no reply in ${this.timeoutMs} ms` : causeOf(error);
      throw new CommandError(`${url}: ${reason}`, EXIT.unavailable);
    }
    const reply = membersOf(text);
    const result = reply?.get('result');
    if (result !== undefined) return result;
    const error: unknown = JSON.parse(reply?.get('error') ?? 'null');
    if (!isRemoteError(error)) throw noReply(url, response.status);
    const retryAfterMs = Number(response.headers.get('retry-after') ?? 0) * SECOND_MS;
    throw new RemoteRefusal(error, Number.isFinite(retryAfterMs) ? retryAfterMs : 0, this.hint(error));
  }

  private hint({ data }: RemoteError): string {
    const isUnknown = data?.code === 'UNAUTHORIZED' && Object.keys(this.config.headers).length === 0;
    return isUnknown ? ': the credential goes into DOSSIER_API_KEY or DOSSIER_TOKEN' : '';
  }
}

/** Undefined if the text is no JSON object. */
function membersOf(text: string): Map<string, string> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? jsonMembers(text) : undefined;
  } catch {
    return undefined;
  }
}

/** What is at a wrong address may have an `error` of its own. */
function isRemoteError(error: unknown): error is RemoteError {
  return typeof error === 'object' && error !== null && typeof (error as Partial<RemoteError>).code === 'number';
}

function noReply(url: string, status: number): CommandError {
  const exitCode = PASSING_STATUSES.includes(status) ? EXIT.unavailable : EXIT.refused;
  return new CommandError(`${url}: status ${status}, and no JSON-RPC reply`, exitCode);
}
