import { loadRemoteConfig } from '../../app/config';
import { METHODS } from '../../inbound/methods/method-descriptions';
import { nearName } from '../../inbound/methods/near-name';
import { UsageError } from '../exit-code';
import type { OutputOptions } from '../output';
import { callParams } from './call-params';
import { indented } from './indented';
import type { RemoteOptions } from './remote-options';
import { RemoteRefusal, RemoteService } from './remote-service';

const SECOND_MS = 1000;

/** Prints the result: indented, or with `--json` as the service has sent it. */
export async function call(
  name: string,
  words: readonly string[],
  { url, timeout, json }: RemoteOptions & OutputOptions,
): Promise<void> {
  const method = METHODS.find((one) => one.name === name);
  if (!method) throw new UsageError(unknownMethod(name));
  const params = callParams(method.params, words);
  const service = new RemoteService(loadRemoteConfig(url), timeout * SECOND_MS);
  try {
    const result = await service.call(name, params);
    process.stdout.write(`${json ? result : indented(result)}\n`);
  } catch (error) {
    if (!json || !(error instanceof RemoteRefusal)) throw error;
    process.stderr.write(`${JSON.stringify(error.error)}\n`);
    process.exitCode = error.exitCode;
  }
}

function unknownMethod(name: string): string {
  const names = METHODS.map((method) => method.name);
  const near = nearName(name, names.values());
  return `unknown method ${name}${near === undefined ? '' : `, did you mean ${near}?`}\nmethods: ${names.join(', ')}`;
}
