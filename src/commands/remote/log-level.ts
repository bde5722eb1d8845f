import { loadOperatorConfig } from '../../app/config';
import { print } from '../output';
import { OperatedReplica } from './operated-replica';
import type { RemoteOptions } from './remote-options';
import type { OutputOptions } from '../output';

/** Until the replica ends, or the level is changed again. */
export async function changeLogLevel(
  level: string,
  { url, timeout, json }: RemoteOptions & OutputOptions,
): Promise<void> {
  const config = loadOperatorConfig(url);
  const reply = await new OperatedReplica(config, timeout).ask('PUT', `log-level/${level}`);
  const text = `${config.url}: the level of the log was ${String(reply['before'])}, and is ${String(reply['level'])} now`;
  print({ json }, reply, text);
}
