import 'reflect-metadata';
import { Allow, getMetadataStorage, ValidateBy, ValidateIf } from 'class-validator';
import type { FieldError } from '../../core/domain/domain-error';
import type { CoreSettings } from '../../core/ports/core-settings';
import type { JsonSchema } from './json-schema';
import type { MemberRule } from './member-rules';

export type CrossSchema = Pick<JsonSchema, 'anyOf' | 'oneOf' | 'not' | 'x-equal'>;

export type ParamsClass = (new () => object) & {
  /** What `problems` refuses, as far as no member says it: keywords for the schema of the whole object. */
  readonly crossSchema?: CrossSchema;
};

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
  /** Whether it may be left out, as far as its own rules go. */
  readonly isOptional: boolean;
  /** The value of a member that is left out, if there is one. */
  readonly default: unknown;
  /** Without null as a way to leave it out. */
  readonly schema: JsonSchema;
}

const KIND = Symbol('how a member is read');
const TAKES_NULL = Symbol('whether null is a value');
const SCHEMA = Symbol('what the schema of a member says');

/**
 * Validates a member with a rule of the domain, or with one of the same form. `more` is what the schema says besides: a
 * description, and what only `problems` checks.
 */
export function Rule({ problemOf, schema }: MemberRule, more: JsonSchema = {}): PropertyDecorator {
  return (target, name) => {
    // The message is asked for at once: a long value is looked at once.
    let problem: string | undefined;
    ValidateBy({
      name: 'rule',
      validator: {
        validate: (value) => (problem = problemOf(value)) === undefined,
        defaultMessage: () => problem as string,
      },
    })(target, name);
    Reflect.defineMetadata(SCHEMA, { ...schema, ...more }, target, name);
  };
}

/** May be left out; null counts as left out, unless `orNull` says that it means something. */
export function MayBeOmitted({ orNull = false } = {}): PropertyDecorator {
  return (target, name) => {
    ValidateIf((_, value) => value !== undefined && value !== null)(target, name);
    Reflect.defineMetadata(TAKES_NULL, orNull, target, name);
  };
}

/**
 * A JSON value that may be left out: reaches the handler as `JsonText`. Null is one only if `orNull` says so. `schema`
 * is what `problems` checks.
 */
export function Json(schema: JsonSchema, { orNull = false } = {}): PropertyDecorator {
  return (target, name) => {
    Allow()(target, name);
    Reflect.defineMetadata(KIND, 'json', target, name);
    Reflect.defineMetadata(SCHEMA, schema, target, name);
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
    const defaults = new params() as Record<string, unknown>;
    const conditional = new Set(rules.filter(({ type }) => type === 'conditionalValidation').map(nameOf));
    const memberOf = (name: string): Member => ({
      kind: (about(KIND, name) ?? 'plain') as MemberKind,
      takesNull: about(TAKES_NULL, name) === true,
      isOptional: about(KIND, name) === 'json' || conditional.has(name) || defaults[name] !== undefined,
      default: defaults[name],
      schema: about(SCHEMA, name) as JsonSchema,
    });
    members = new Map(rules.map(nameOf).map((name) => [name, memberOf(name)]));
    membersByClass.set(params, members);
  }
  return members;
}

function nameOf({ propertyName }: { readonly propertyName: string }): string {
  return propertyName;
}
