import { StoreError } from './store-error';

/**
 * This version of the service cannot use the store: it is older or newer than what the store was set up for. What the
 * reason says is for the operator.
 */
export class UnfitSchemaError extends StoreError {
  constructor(private readonly explanation: string) {
    super('postgres', 'failed', { cause: new Error(explanation) });
    this.name = 'UnfitSchemaError';
  }

  override get reason(): string {
    return this.explanation;
  }
}
