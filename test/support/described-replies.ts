import type { ValidateFunction } from 'ajv/dist/2020';
import { EVENTS } from '../../src/inbound/docs/event-schemas';
import { describeError, isErrorWord } from '../../src/inbound/methods/error-descriptions';
import { METHODS } from '../../src/inbound/methods/method-descriptions';
import { closed, schemaValidator } from './schema-validator';

/** The part of a reply that says how a call ended. */
export interface CallOutcome {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> };
}

type Members = Record<string, unknown>;

const METHODS_BY_NAME = new Map(METHODS.map((method) => [method.name, method]));
const isResult = new Map<string, ValidateFunction>();
const isEvent = new Map<string, ValidateFunction>();
const isData = new Map<string, ValidateFunction>();
/** Those have no data, or belong to the message, not to a method. */
const PROTOCOL_ERRORS = [-32700, -32600, -32601];

/** Throws if one of the replies to a message is not as its method is described. `request` may be anything. */
export function checkReplies(request: string, reply: string): void {
  const calls = elementsOf(request);
  for (const { id, ...outcome } of elementsOf(reply) as unknown as (CallOutcome & { id?: unknown })[]) {
    const methods = new Set(calls.filter((call) => call['id'] === id).map(({ method }) => method));
    // With id null, or an id that several calls have, it is not known whose reply it is.
    const [method] = methods;
    if (methods.size === 1 && typeof method === 'string') checkOutcome(method, outcome);
  }
}

/** Throws if `outcome` is none that the description of the method has. */
export function checkOutcome(name: string, { result, error }: CallOutcome): void {
  const method = METHODS_BY_NAME.get(name);
  if (!method || (error && PROTOCOL_ERRORS.includes(error.code))) return;
  if (error === undefined) {
    const schema = () => schemaValidator(closed(method.result));
    refuseUnless(of(isResult, name, schema), result, `the result of ${name} is not as it is described`);
    return;
  }
  const word = error.data?.['code'];
  const described = method.errors.find((one) => one.name === word);
  if (!isErrorWord(word) || !described)
    throw new Error(`${name} returns the error ${String(word)}, which it does not have`);
  if (described.code !== error.code || !isMessage(described.message, error.message)) {
    throw new Error(`the error ${word} of ${name} is not as it is described: ${JSON.stringify(error)}`);
  }
  const schema = () => schemaValidator(closed(describeError(word).data));
  refuseUnless(of(isData, word, schema), error.data, `the data of ${word} are not as they are described`);
}

/** Throws if an event is not as its type is described. */
export function checkEvent(event: { readonly type: string }): void {
  const described = EVENTS.find(({ type }) => type === event.type);
  if (!described) throw new Error(`an event has the type ${event.type}, which is not described`);
  const schema = () => schemaValidator(closed(described.message));
  refuseUnless(of(isEvent, event.type, schema), event, `the event ${event.type} is not as it is described`);
}

function elementsOf(text: string): readonly Members[] {
  try {
    return [JSON.parse(text) as unknown]
      .flat()
      .filter((one): one is Members => typeof one === 'object' && one !== null);
  } catch {
    return [];
  }
}

function of(known: Map<string, ValidateFunction>, name: string, make: () => ValidateFunction): ValidateFunction {
  const validator = known.get(name) ?? make();
  known.set(name, validator);
  return validator;
}

function refuseUnless(isValid: ValidateFunction, value: unknown, problem: string): void {
  if (isValid(value)) return;
  throw new Error(`${problem}: ${JSON.stringify(isValid.errors)} in ${JSON.stringify(value).slice(0, 2000)}`);
}

/** `template` has names in braces for what differs. */
function isMessage(template: string, message: string): boolean {
  const parts = template.split(/\{\w+\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(message);
}
