import { InvalidArgumentError } from 'commander';

export interface RemoteOptions {
  readonly url?: string;
  readonly timeout: number;
}

/** The parser of an option that is an integer above 0. */
export function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be an integer above 0.');
}

/** The parser of an option that is a number in a range; both ends are allowed. */
export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}
