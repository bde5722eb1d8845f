import { randomInt, randomUUID } from 'node:crypto';
import { IdSource } from '../../core/ports/id-source';

const SUFFIX_LENGTH = 9;
/** Below 2^48, the largest range that `crypto.randomInt` accepts. */
const SUFFIXES = 36 ** SUFFIX_LENGTH;

export class RandomIdSource extends IdSource {
  op(): string {
    return randomUUID();
  }

  suffix(): string {
    return randomInt(SUFFIXES).toString(36).padStart(SUFFIX_LENGTH, '0');
  }

  randomInt(exclusiveMax: number): number {
    return randomInt(exclusiveMax);
  }
}
