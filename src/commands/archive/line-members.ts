import { isPrintableName } from '../../inbound/auth/printable-name';
import type { FieldError } from '../../core/domain/domain-error';
import { isoTime } from '../../core/domain/iso-time';
import { jsonMembers, JsonText } from '../../core/domain/json-text';

/** As every time on the wire. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The members of a line of an archive, which may hold anything. Collects what is wrong with them. */
export class LineMembers {
  readonly problems: FieldError[] = [];
  private readonly members: Map<string, string>;

  /** `text` is a JSON object. */
  constructor(text: string) {
    this.members = jsonMembers(text);
  }

  has(field: string): boolean {
    return this.members.has(field) && this.members.get(field) !== 'null';
  }

  json(field: string): JsonText | undefined {
    const text = this.members.get(field);
    return text === undefined ? undefined : JsonText.fromValid(text);
  }

  string(field: string): string {
    return this.of(field, (value) => (typeof value === 'string' ? undefined : 'must be a string'), '');
  }

  optionalString(field: string): string | undefined {
    return this.has(field) ? this.string(field) : undefined;
  }

  number(field: string): number {
    return this.of(field, (value) => (typeof value === 'number' ? undefined : 'must be a number'), 0);
  }

  optionalNumber(field: string): number | undefined {
    return this.has(field) ? this.number(field) : undefined;
  }

  name(field: string): string {
    return this.of(field, (value) => (isPrintableName(value) ? undefined : 'must be a printable name'), '');
  }

  optionalName(field: string): string | undefined {
    return this.has(field) ? this.name(field) : undefined;
  }

  /** In milliseconds since the epoch. */
  time(field: string): number {
    return Date.parse(this.of(field, (value) => (isIsoTime(value) ? undefined : 'must be a time in UTC'), ''));
  }

  optionalTime(field: string): number | undefined {
    return this.has(field) ? this.time(field) : undefined;
  }

  /** Undefined if nothing is wrong. */
  check(field: string, message: string | undefined): void {
    if (message !== undefined) this.problems.push({ field, message });
  }

  private of<T>(field: string, problemOf: (value: unknown) => string | undefined, otherwise: T): T {
    const value: unknown = this.members.has(field) ? JSON.parse(this.members.get(field) as string) : undefined;
    const problem = problemOf(value);
    if (problem === undefined) return value as T;
    this.check(field, problem);
    return otherwise;
  }
}

/** `Date` takes the 30th of February for the 2nd of March, and 24:00 for the next day. */
function isIsoTime(value: unknown): boolean {
  if (typeof value !== 'string' || !ISO_TIME.test(value)) return false;
  const ms = Date.parse(value);
  return !isNaN(ms) && isoTime(ms) === value;
}
