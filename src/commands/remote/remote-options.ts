import { InvalidArgumentError } from 'commander';

export interface RemoteOptions {
  readonly url?: string;
  readonly timeout: number;
}

/** The parser of an option that is a number in a range; both ends are allowed. */
export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}
