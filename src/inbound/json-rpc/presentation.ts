import type { Steps } from './json-scanner';

/** What an endpoint makes of a result in place of what the method has returned. */
export interface Presentation {
  /** What is written. */
  show(value: unknown): Steps<unknown>;
  /** Of the text. A longer one is not written: the call fails. */
  readonly maxBytes?: number;
  /** Of what is read for it; what is larger is not read. Undefined: as much as a reply may have. */
  readonly maxReadBytes?: number;
}
