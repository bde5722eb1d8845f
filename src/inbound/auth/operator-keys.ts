import { Keys, type KeyFileFormat } from './key-file';

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

export class OperatorKeys extends Keys<Operator> {}
