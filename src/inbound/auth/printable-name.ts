import { MAX_ACTOR_LENGTH } from '../../core/domain/limits';

/** No control, format, private-use or unassigned characters, no unpaired surrogates. */
const PRINTABLE_NAME = new RegExp(`^\\P{C}{1,${MAX_ACTOR_LENGTH}}$`, 'u');

/** Whether `value` may name a caller or an organisation. */
export function isPrintableName(value: unknown): value is string {
  return typeof value === 'string' && PRINTABLE_NAME.test(value);
}
