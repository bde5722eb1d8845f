import { accessSync, constants } from 'node:fs';
import { similarName } from './similar-name';

/** A setting that cannot be used; the message is the one line that the operator reads, and names the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** `description` is what the URL means, without its secrets. */
export interface ServerAddress {
  readonly url: string;
  readonly description: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The variables of the environment, typed. Values are trimmed: files and dashboards add blanks that are not seen. An
 * empty variable counts as unset, as in a compose file that passes one on. Every method throws `ConfigError`.
 */
export class Environment {
  private readonly known: Set<string>;

  /** `readElsewhere` are names that have a meaning, and that nothing here asks for. */
  constructor(
    private readonly variables: Variables,
    readElsewhere: readonly string[] = [],
  ) {
    this.known = new Set(readElsewhere);
  }

  text(name: string): string | undefined {
    this.known.add(name);
    return this.variables[name]?.trim() || undefined;
  }

  /** If a variable for keys or tokens is empty, the secret was not filled in: it must not open the service. */
  secret(name: string): string | undefined {
    if (this.variables[name]?.trim() === '') throw new ConfigError(`${name} is set, but empty`);
    return this.text(name);
  }

  integer(name: string, range: { readonly min: number; readonly max: number; readonly otherwise: number }): number {
    const text = this.text(name);
    if (text === undefined) return range.otherwise;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= range.min && value <= range.max) return value;
    throw new ConfigError(`${name} must be an integer from ${range.min} to ${range.max}, is ${quote(text)}`);
  }

  oneOf<T extends string, Otherwise>(name: string, values: readonly T[], otherwise: Otherwise): T | Otherwise {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const value = values.find((candidate) => candidate === text);
    if (value === undefined) throw new ConfigError(`${name} must be one of ${values.join(', ')}, is ${quote(text)}`);
    return value;
  }

  isTrue(name: string): boolean {
    return this.oneOf(name, ['true', 'false'], 'false') === 'true';
  }

  /** At most 64 of the `characters`. */
  matching(name: string, pattern: RegExp, characters: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || pattern.test(text)) return text;
    throw new ConfigError(`${name} must be at most 64 ${characters}, is ${quote(text)}`);
  }

  list(name: string): readonly string[] {
    return (
      this.text(name)
        ?.split(',')
        .map((entry) => entry.trim()) ?? []
    );
  }

  /** The path of a file that can be read. */
  file(name: string): string | undefined {
    const path = this.text(name);
    if (path === undefined) return undefined;
    try {
      accessSync(path, constants.R_OK);
      return path;
    } catch {
      throw new ConfigError(`${name} must be a file that can be read, is ${quote(path)}`);
    }
  }

  url(name: string, protocols: readonly string[]): string | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : checkedUrl(name, text, protocols);
  }

  /** Separated by commas. */
  urls(name: string, protocols: readonly string[]): readonly string[] {
    return this.list(name).map((text) => checkedUrl(name, text, protocols));
  }

  /** Each variable that is set, was not asked for, and looks as if one that was asked for had been meant. */
  get warnings(): readonly string[] {
    return Object.keys(this.variables).flatMap((name) => {
      if (this.known.has(name) || !this.variables[name]) return [];
      const meant = similarName(name, [...this.known]);
      return meant === undefined ? [] : [`the variable ${name} has no meaning here: did you mean ${meant}?`];
    });
  }
}

export function quote(text: string): string {
  return JSON.stringify(text);
}

/** What the parser of a value refuses, with the name of the variable. */
export function named<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ConfigError(`${name} ${(error as Error).message}`);
  }
}

/** No message repeats the value: it may carry a password. */
function checkedUrl(name: string, text: string, protocols: readonly string[]): string {
  if (/\s/.test(text)) throw new ConfigError(`${name} must have no blanks inside`);
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    throw new ConfigError(`${name} must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`);
  }
  const { pathname, search, hash } = new URL(text);
  // Inside a password these characters end it, and what follows becomes another host, database or nothing.
  if (hash !== '' || `${pathname}${search}`.includes('@')) {
    throw new ConfigError(`${name} has a #, ? or / before the @, or a @ behind the host: write %23, %3F, %2F, %40`);
  }
  if (!isDecodable(text)) throw new ConfigError(`${name} has a % that begins no encoded character: write %25`);
  return text;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
