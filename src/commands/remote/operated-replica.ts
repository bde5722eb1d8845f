import { causeOf } from '../../app/cause-of';
import type { RemoteConfig } from '../../app/remote-config';
import { CommandError, EXIT } from '../exit-code';

const SECOND_MS = 1000;
const PASSING_STATUSES = [502, 503, 504];

/** The paths of a running replica that only operators may ask. */
export class OperatedReplica {
  constructor(
    private readonly config: RemoteConfig,
    private readonly timeoutSeconds: number,
  ) {}

  /** Resolves with the object that is replied. Throws `CommandError`, which says what is wrong with whom. */
  async ask(method: 'GET' | 'PUT' | 'DELETE', path: string): Promise<Readonly<Record<string, unknown>>> {
    const { url, headers } = this.config;
    const signal = AbortSignal.timeout(this.timeoutSeconds * SECOND_MS);
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}/admin/${path}`, { method, headers, signal, redirect: 'error' });
      text = await response.text();
    } catch (error) {
      const isLate = (error as Error).name === 'TimeoutError';
      const reason = isLate ? `no reply in ${this.timeoutSeconds} s` : causeOf(error);
      throw new CommandError(`${url}: ${reason}`, EXIT.unavailable);
    }
    const reply = objectIn(text);
    if (response.ok && reply) return reply;
    throw new CommandError(`${url}: ${reasonOf(response.status, reply)}`, exitCodeOf(response.status));
  }
}

/** Undefined if the text is no JSON object. */
function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return isObject ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(status: number, reply?: Readonly<Record<string, unknown>>): string {
  if (status === 401) return 'does not take the operator key in DOSSIER_OPERATOR_KEY';
  if (status === 404) return 'lets no operator in: its OPERATOR_KEYS_FILE is not set, or it is of an earlier version';
  const detail = reply?.['detail'];
  return typeof detail === 'string' ? detail : `status ${status}, and no reply of a replica`;
}

function exitCodeOf(status: number) {
  return PASSING_STATUSES.includes(status) ? EXIT.unavailable : EXIT.refused;
}
