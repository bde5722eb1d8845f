import 'reflect-metadata';
import { MessagePattern } from '@nestjs/microservices';
import type { Role } from '../auth/credential';
import type { ErrorWord } from '../json-rpc/json-rpc-error';
import type { ErrorMessages } from './error-descriptions';
import type { ObjectSchema } from './json-schema';
import type { ParamsClass } from './params-rules';

/** A call as a caller makes it, and its result; the tests run it. */
export interface MethodExample {
  readonly name: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly result: Readonly<Record<string, unknown>>;
}

/**
 * What its handler says of a method. The params are described by their class, which is the handler's first parameter.
 */
export interface RpcMethodOptions {
  /** One line. */
  readonly summary: string;
  /** What it is for, and what is not obvious. */
  readonly description: string;
  /** The weakest role that may call it. */
  readonly role: Role;
  /** Whether it may change or remove what is there, besides adding to it. */
  readonly destructive?: true;
  /**
   * Whether a second call with the same params has no further effect. Of a method that only reads, it has none anyway.
   */
  readonly idempotent?: true;
  /** The limit unless the operator sets another one; undefined for that of all methods. */
  readonly callsPerMinute?: number;
  readonly result: ObjectSchema;
  /** Besides those that every method may return. */
  readonly errors: readonly ErrorWord[];
  /** The message if a store failed it. */
  readonly failure: string;
  /** The message if the attachment is missing, if it differs from that of other methods. */
  readonly notFound?: string;
  readonly examples: readonly [MethodExample, ...MethodExample[]];
}

export interface RpcMethodEntry extends RpcMethodOptions {
  readonly name: string;
  /** `attachments` or `tasks`, after the class of its handler. */
  readonly group: string;
  readonly params: ParamsClass;
  readonly messages: ErrorMessages;
}

const entries = new Map<string, RpcMethodEntry>();

/** Serves a method under its name, and describes it: guards, error table and documents read what is said here. */
export function RpcMethod(name: string, options: RpcMethodOptions): MethodDecorator {
  return (target, handler, descriptor) => {
    MessagePattern(name)(target, handler, descriptor as PropertyDescriptor);
    const [params] = Reflect.getMetadata('design:paramtypes', target, handler) as [ParamsClass];
    const { failure, notFound } = options;
    const messages = { STORE_FAILED: failure, TIMEOUT: failure, ATTACHMENT_NOT_FOUND: notFound };
    const group = target.constructor.name.replace(/Rpc$/, '').toLowerCase();
    entries.set(name, { ...options, name, group, params, messages });
  };
}

/** Undefined if there is no method of this name. */
export function rpcMethod(name: string): RpcMethodEntry | undefined {
  return entries.get(name);
}

/** In the order of their handlers. */
export function rpcMethods(): readonly RpcMethodEntry[] {
  return [...entries.values()];
}
