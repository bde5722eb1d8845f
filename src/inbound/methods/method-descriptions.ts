import './attachments.rpc';
import './tasks.rpc';
import type { Role } from '../auth/credential';
import { describeErrors, type ErrorDescription } from './error-descriptions';
import type { ObjectSchema } from './json-schema';
import { paramsSchema } from './params-schema';
import { rpcMethods, type MethodExample, type RpcMethodEntry } from './rpc-method';

/** All that a caller may know of a method. Documents, clients and tools are made from it. */
export interface MethodDescription {
  readonly name: string;
  /** `attachments` or `tasks`. */
  readonly group: string;
  readonly summary: string;
  readonly description: string;
  /** The weakest role that may call it. */
  readonly role: Role;
  readonly readOnly: boolean;
  /** Whether it may change or remove what is there, besides adding to it. */
  readonly destructive: boolean;
  /** Whether a second call with the same params has no further effect: then it is safe to repeat. */
  readonly idempotent: boolean;
  /** The limit unless the operator sets another one. */
  readonly callsPerMinute?: number;
  /** Of the object with the params. Its title is its name. */
  readonly params: ObjectSchema;
  /** A later release may add members. */
  readonly result: ObjectSchema;
  readonly errors: readonly ErrorDescription[];
  readonly examples: readonly [MethodExample, ...MethodExample[]];
}

export const METHODS: readonly MethodDescription[] = rpcMethods().map(describe);

function describe(entry: RpcMethodEntry): MethodDescription {
  const { name, group, summary, description, role, callsPerMinute, result, examples } = entry;
  const readOnly = role === 'read';
  return {
    name,
    group,
    summary,
    description,
    role,
    readOnly,
    destructive: entry.destructive ?? false,
    idempotent: readOnly || (entry.idempotent ?? false),
    callsPerMinute,
    params: paramsSchema(entry.params),
    result,
    errors: describeErrors(entry.errors, entry.messages),
    examples,
  };
}
