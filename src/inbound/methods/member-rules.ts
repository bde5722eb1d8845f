import {
  keyPrefixProblem,
  keyProblem,
  lengthProblem,
  storableTextProblem,
  taskIdProblem,
} from '../../core/domain/identifiers';
import { integerProblem } from '../../core/domain/integer-problem';
import { MAX_ACTOR_LENGTH, MAX_TASK_TEXT_LENGTH } from '../../core/domain/limits';
import { integerFrom, oneOfWords, type JsonSchema } from './json-schema';
import { ACTOR, KEY, KEY_PREFIX, TASK_ID, TASK_TEXT } from './wire-schemas';

/** Says what is wrong with a value; undefined if it is valid. */
export type Problem = (value: unknown) => string | undefined;

/**
 * A rule twice: as the words that refuse a value, and as the JSON Schema that callers read. A test compares the two.
 */
export interface MemberRule {
  readonly problemOf: Problem;
  readonly schema: JsonSchema;
}

export const isTaskId: MemberRule = { problemOf: taskIdProblem, schema: TASK_ID };
export const isKey: MemberRule = { problemOf: keyProblem, schema: KEY };
export const isKeyPrefix: MemberRule = { problemOf: keyPrefixProblem, schema: KEY_PREFIX };

export const isString: MemberRule = {
  problemOf: (value) => (typeof value === 'string' ? undefined : 'must be a string'),
  schema: { type: 'string' },
};

/** Length and characters are checked with the other members of a task; this only says what they may be. */
export const isTaskText: MemberRule = {
  problemOf: (value) =>
    typeof value === 'string' ? undefined : `must be a string of 1 to ${MAX_TASK_TEXT_LENGTH} characters`,
  schema: TASK_TEXT,
};

/** Of a parameter that is optional, as all numbers are; its range is another rule. */
export const isNumber: MemberRule = {
  problemOf: (value) => (typeof value === 'number' ? undefined : 'must be a number, or left out'),
  schema: { type: 'number' },
};

/** Of a parameter that is optional, as all booleans are. */
export const isBoolean: MemberRule = {
  problemOf: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false, or left out'),
  schema: { type: 'boolean' },
};

export const isObject: MemberRule = {
  problemOf: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object',
  schema: { type: 'object' },
};

export function isOneOf(words: readonly string[]): MemberRule {
  return {
    problemOf: (value) => (words.includes(value as string) ? undefined : `must be one of ${words.join(', ')}`),
    schema: oneOfWords(words),
  };
}

export function isIntegerFrom(min: number, max = Number.MAX_SAFE_INTEGER): MemberRule {
  return { problemOf: (value) => integerProblem(value, min, max), schema: integerFrom(min, max) };
}

export function isArrayOf(min: number, max: number): MemberRule {
  return {
    problemOf: (value) => {
      const rule = `must be an array of ${min} to ${max} elements`;
      if (!Array.isArray(value)) return rule;
      const { length } = value;
      return length >= min && length <= max ? undefined : `${rule}, has ${length}`;
    },
    schema: { type: 'array', minItems: min, maxItems: max },
  };
}

/** One word, or an array of some of them, each once. */
export function isOneOrSomeOf(words: readonly string[]): MemberRule {
  const isWord = isOneOf(words);
  return {
    problemOf: (value) => {
      const given: unknown[] = Array.isArray(value) ? value : [value];
      const areKnown = given.every((word) => isWord.problemOf(word) === undefined);
      if (areKnown && given.length > 0 && new Set(given).size === given.length) return undefined;
      return `must be one of ${words.join(', ')}, or an array of some of them, each once`;
    },
    schema: {
      anyOf: [
        isWord.schema,
        { type: 'array', items: isWord.schema, minItems: 1, maxItems: words.length, uniqueItems: true },
      ],
    },
  };
}

export const isActor: MemberRule = {
  problemOf: (value) => {
    if (typeof value !== 'string' || value === '') return `must be a string of 1 to ${MAX_ACTOR_LENGTH} characters`;
    return lengthProblem(value, MAX_ACTOR_LENGTH) ?? storableTextProblem(value);
  },
  schema: ACTOR,
};
