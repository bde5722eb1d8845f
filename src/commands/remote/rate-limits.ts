import { loadOperatorConfig } from '../../app/config';
import { isAgreed, report, type ConfirmationOptions } from '../confirmation';
import { print, type OutputOptions } from '../output';
import { OperatedReplica } from './operated-replica';
import type { RemoteOptions } from './remote-options';

interface WindowView {
  readonly caller: string;
  readonly method: string;
  readonly calls: number;
  readonly limit: number;
  readonly endsInMs: number;
}

const SECOND_MS = 1000;

/** The windows with most calls first. */
export async function listRateLimits(
  options: RemoteOptions & OutputOptions & { readonly caller?: string },
): Promise<void> {
  const { url, timeout, caller } = options;
  const query = caller === undefined ? '' : `?caller=${encodeURIComponent(caller)}`;
  const reply = await new OperatedReplica(loadOperatorConfig(url), timeout).ask('GET', `rate-limits${query}`);
  const windows = (reply['windows'] ?? []) as readonly WindowView[];
  const lines = windows.map(
    ({ caller, method, calls, limit, endsInMs }) =>
      `${printable(caller)}  ${method}  ${calls} of ${limit}${calls > limit ? ', refused' : ''}, for ${Math.ceil(endsInMs / SECOND_MS)} s`,
  );
  print(options, reply, lines.length > 0 ? lines.join('\n') : 'no window is open');
}

export async function resetRateLimits(
  caller: string,
  options: RemoteOptions & ConfirmationOptions & { readonly method?: string },
): Promise<void> {
  const { url, timeout, method } = options;
  const config = loadOperatorConfig(url);
  const text = `lets ${printable(caller)} call ${method ?? 'every limited method'} as if it had not called yet (${config.url})`;
  const plan = { command: 'rate-limits reset', text, facts: { caller, method } };
  if (!(await isAgreed(plan, options))) return;
  const only = method === undefined ? '' : `&method=${encodeURIComponent(method)}`;
  const replica = new OperatedReplica(config, timeout);
  const reply = await replica.ask('DELETE', `rate-limits?caller=${encodeURIComponent(caller)}${only}`);
  // Not before: the replica may refuse.
  report(plan);
  print(options, reply, `reset: ${(reply['methods'] as readonly string[]).join(', ')}`);
}

/** A caller over NATS without a credential chooses its name: it must not command the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
