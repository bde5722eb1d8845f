import 'reflect-metadata';
import { Allow, getMetadataStorage, ValidateBy, ValidateIf } from 'class-validator';
import type { FieldError } from '../../core/domain/domain-error';
import { lengthProblem, storableTextProblem } from '../../core/domain/identifiers';
import { integerProblem } from '../../core/domain/integer-problem';
import { MAX_ACTOR_LENGTH } from '../../core/domain/limits';
import type { CoreSettings } from '../../core/ports/core-settings';

/** Says what is wrong with a value; undefined if it is valid. */
export type Problem = (value: unknown) => string | undefined;

export type ParamsClass = new () => object;

/** Params whose members depend on each other, or that the domain checks as a whole. */
export interface CrossChecked {
  /** Members that failed their own rule are undefined here. */
  problems(settings: CoreSettings): FieldError[];
}

/** How a member is read: as it was parsed, as JSON text, or as nested params. */
export type MemberKind = 'plain' | 'json' | ParamsClass;

/** A member of a params class. */
export interface Member {
  readonly kind: MemberKind;
  /** Null is a value of the member; of all other members, null counts as left out. */
  readonly takesNull: boolean;
}

const KIND = Symbol('how a member is read');
const TAKES_NULL = Symbol('whether null is a value');

/** Validates a member with a rule of the domain, or with one of the same form. */
export function Rule(problemOf: Problem): PropertyDecorator {
  return ValidateBy({
    name: 'rule',
    validator: {
      validate: (value) => problemOf(value) === undefined,
      defaultMessage: (given) => problemOf(given?.value) as string,
    },
  });
}

/** May be left out; null counts as left out, unless `orNull` says that it means something. */
export function MayBeOmitted({ orNull = false } = {}): PropertyDecorator {
  return (target, name) => {
    ValidateIf((_, value) => value !== undefined && value !== null)(target, name);
    Reflect.defineMetadata(TAKES_NULL, orNull, target, name);
  };
}

/** A JSON value that may be left out: reaches the handler as `JsonText`. Null is one only if `orNull` says so. */
export function Json({ orNull = false } = {}): PropertyDecorator {
  return (target, name) => {
    Allow()(target, name);
    Reflect.defineMetadata(KIND, 'json', target, name);
    Reflect.defineMetadata(TAKES_NULL, orNull, target, name);
  };
}

/** An object, or an array of objects, that is read as `params`. */
export function Nested(params: ParamsClass): PropertyDecorator {
  return Reflect.metadata(KIND, params);
}

const membersByClass = new Map<ParamsClass, ReadonlyMap<string, Member>>();

/** The members that a class declares, inherited ones included. */
export function declaredMembers(params: ParamsClass): ReadonlyMap<string, Member> {
  let members = membersByClass.get(params);
  if (!members) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(params, '', false, false);
    const about = (what: symbol, name: string) =>
      Reflect.getMetadata(what, params.prototype as object, name) as unknown;
    const memberOf = (name: string): Member => ({
      kind: (about(KIND, name) ?? 'plain') as MemberKind,
      takesNull: about(TAKES_NULL, name) === true,
    });
    members = new Map(rules.map(({ propertyName }) => [propertyName, memberOf(propertyName)]));
    membersByClass.set(params, members);
  }
  return members;
}

export const isString: Problem = (value) => (typeof value === 'string' ? undefined : 'must be a string');
/** Of a parameter that is optional, as all numbers are; its range is another rule. */
export const isNumber: Problem = (value) => (typeof value === 'number' ? undefined : 'must be a number, or left out');
/** Of a parameter that is optional, as all booleans are. */
export const isBoolean: Problem = (value) =>
  typeof value === 'boolean' ? undefined : 'must be true or false, or left out';
export const isObject: Problem = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object';

export function isOneOf(words: readonly string[]): Problem {
  return (value) => (words.includes(value as string) ? undefined : `must be one of ${words.join(', ')}`);
}

export function isIntegerFrom(min: number, max = Number.MAX_SAFE_INTEGER): Problem {
  return (value) => integerProblem(value, min, max);
}

export function isArrayOf(min: number, max: number): Problem {
  return (value) => {
    if (!Array.isArray(value)) return `must be an array of ${min} to ${max} elements`;
    const { length } = value;
    return length >= min && length <= max ? undefined : `must be an array of ${min} to ${max} elements, has ${length}`;
  };
}

export const isActor: Problem = (value) => {
  if (typeof value !== 'string' || value === '') return `must be a string of 1 to ${MAX_ACTOR_LENGTH} characters`;
  return lengthProblem(value, MAX_ACTOR_LENGTH) ?? storableTextProblem(value);
};
