import { MAX_ACTOR_LENGTH } from '../../core/domain/limits';

/** No control, format, private-use or unassigned characters, no unpaired surrogates. */
const PRINTABLE_NAME = new RegExp(`^\\P{C}{1,${MAX_ACTOR_LENGTH}}$`, 'u');

/** Whether `value` may name a caller. */
export function isPrintableName(value: unknown): value is string {
  return typeof value === 'string' && PRINTABLE_NAME.test(value);
}

/** A blank organisation would be a mistake that is not visible, and that others may have made too. */
export function isOrganizationName(value: unknown): value is string {
  return isPrintableName(value) && value.trim() !== '';
}
