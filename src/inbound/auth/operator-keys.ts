import type { LoggerService } from '@nestjs/common';
import { KeyFile, type KeyFileFormat } from './key-file';

/** Who operates the service, for all organisations. An operator is no caller: no method takes its key. */
export interface Operator {
  readonly id: string;
  readonly name: string;
}

export const OPERATOR_KEYS: KeyFileFormat<Operator> = {
  variable: 'OPERATOR_KEYS_FILE',
  members: [],
  holderOf: ({ id, name }) => ({ id, name }),
};

export class OperatorKeys extends KeyFile<Operator> {
  /** Throws `KeyFileError`. */
  static open(path: string, logger: LoggerService): OperatorKeys {
    return new OperatorKeys(path, OPERATOR_KEYS, logger);
  }
}
