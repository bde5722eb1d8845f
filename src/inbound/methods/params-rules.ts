import 'reflect-metadata';
import { Allow, getMetadataStorage, ValidateBy, ValidateIf } from 'class-validator';
import type { FieldError } from '../../core/domain/domain-error';
import { isLongerThan, storableTextProblem } from '../../core/domain/identifiers';
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

const KIND = Symbol('how a member is read');

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

/** May be left out, but not be null unless `orNull` says so. */
export function MayBeOmitted({ orNull = false } = {}): PropertyDecorator {
  return ValidateIf((_, value) => value !== undefined && !(orNull && value === null));
}

/** A JSON value, null included: reaches the handler as `JsonText`. */
export function Json(): PropertyDecorator {
  return (target, name) => {
    Allow()(target, name);
    Reflect.defineMetadata(KIND, 'json', target, name);
  };
}

/** An object, or an array of objects, that is read as `params`. */
export function Nested(params: ParamsClass): PropertyDecorator {
  return Reflect.metadata(KIND, params);
}

const membersByClass = new Map<ParamsClass, ReadonlyMap<string, MemberKind>>();

/** The members that a class declares, inherited ones included. */
export function declaredMembers(params: ParamsClass): ReadonlyMap<string, MemberKind> {
  let members = membersByClass.get(params);
  if (!members) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(params, '', false, false);
    const kindOf = (name: string) =>
      (Reflect.getMetadata(KIND, params.prototype as object, name) ?? 'plain') as MemberKind;
    members = new Map(rules.map(({ propertyName }) => [propertyName, kindOf(propertyName)]));
    membersByClass.set(params, members);
  }
  return members;
}

export const isString: Problem = (value) => (typeof value === 'string' ? undefined : 'must be a string');
export const isNumber: Problem = (value) => (typeof value === 'number' ? undefined : 'must be a number');
export const isBoolean: Problem = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
export const isObject: Problem = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object';

export function isOneOf(words: readonly string[]): Problem {
  return (value) => (words.includes(value as string) ? undefined : `must be one of ${words.join(', ')}`);
}

export function isIntegerFrom(min: number, max = Number.MAX_SAFE_INTEGER): Problem {
  const isWithin = (value: unknown) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  return (value) => (isWithin(value) ? undefined : `must be an integer from ${min} to ${max}`);
}

export function isArrayOf(min: number, max: number): Problem {
  const isWithin = (value: unknown) => Array.isArray(value) && value.length >= min && value.length <= max;
  return (value) => (isWithin(value) ? undefined : `must be an array of ${min} to ${max} elements`);
}

export const isActor: Problem = (value) => {
  if (typeof value === 'string' && value !== '' && !isLongerThan(value, MAX_ACTOR_LENGTH)) {
    return storableTextProblem(value);
  }
  return `must be a string of 1 to ${MAX_ACTOR_LENGTH} characters`;
};
