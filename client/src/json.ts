/**
 * How messages are written and read. `JSON` turns an integer above 2^53 into another one: a library that keeps numbers
 * as they are spelt may stand in its place.
 */
export interface Json {
  parse(text: string): unknown;
  stringify(value: unknown): string;
}
