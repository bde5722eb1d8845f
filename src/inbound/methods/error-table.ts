import type { AttachmentRef } from '../../core/domain/attachment';
import { DomainError, type Refusal } from '../../core/domain/domain-error';
import { isoTime } from '../../core/domain/iso-time';
import { taskIdProblem } from '../../core/domain/identifiers';
import { StoreError } from '../../core/ports/store-error';
import { AuthenticationFailure } from '../auth/credential';
import {
  CONFLICT,
  INVALID_PARAMS,
  JsonRpcError,
  METHOD_FAILED,
  serviceUnavailable,
  UNAUTHORIZED,
} from '../json-rpc/json-rpc-error';
import type { RawParams } from '../json-rpc/raw-params';
import { errorMessage } from './error-descriptions';
import { rpcMethod } from './rpc-method';

/** Exhaustive: a kind of refusal without a row does not compile. */
const REFUSALS: {
  [Kind in Refusal['kind']]: (refusal: Extract<Refusal, { kind: Kind }>, method: string) => JsonRpcError;
} = {
  invalid: ({ errors }) => new JsonRpcError(INVALID_PARAMS, 'Invalid params', { code: 'INVALID_PARAMS', errors }),
  'task-not-found': ({ taskId }) =>
    new JsonRpcError(INVALID_PARAMS, `Task ${taskId} not found`, { code: 'TASK_NOT_FOUND', taskId }),
  'attachment-not-found': ({ taskId, key }, method) =>
    new JsonRpcError(INVALID_PARAMS, attachmentNotFound(method, { taskId, key }), {
      code: 'ATTACHMENT_NOT_FOUND',
      taskId,
      key,
    }),
  'task-exists': ({ taskId }) =>
    new JsonRpcError(CONFLICT, 'Conflict', {
      code: 'TASK_EXISTS',
      taskId,
      reason: 'the id was used before, with other parameters or for a task that is deleted: ids are not used again',
    }),
  'task-finished': (refusal) =>
    new JsonRpcError(INVALID_PARAMS, `Task ${refusal.taskId} is already ${refusal.status}`, finishedFacts(refusal)),
  'quota-exceeded': ({ quota, limit, use }) =>
    new JsonRpcError(INVALID_PARAMS, 'Quota exceeded', { code: 'QUOTA_EXCEEDED', quota, limit, use }),
  'version-conflict': ({ taskId, key, currentVersion }) =>
    new JsonRpcError(CONFLICT, 'Conflict', { code: 'VERSION_CONFLICT', taskId, key, currentVersion }),
};

const STORES: Record<StoreError['store'], string> = { postgres: 'Database', redis: 'Cache' };

/** The word for machines, and what follows the name of the store. The store's own message stays in the logs. */
const STORE_FAILURES: Record<
  Exclude<StoreError['outcome'], 'unavailable'>,
  readonly ['TIMEOUT' | 'STORE_FAILED', string]
> = {
  timeout: ['TIMEOUT', 'timeout'],
  busy: ['TIMEOUT', 'timeout'],
  refused: ['STORE_FAILED', 'error'],
  failed: ['STORE_FAILED', 'error'],
};

const AUTHENTICATION_FAILURES: Record<AuthenticationFailure['kind'], () => JsonRpcError> = {
  unauthorized: () => new JsonRpcError(UNAUTHORIZED, 'Unauthorized', { code: 'UNAUTHORIZED' }),
  unavailable: () => serviceUnavailable('KEY_SET_UNAVAILABLE', 'Key set unavailable'),
};

/** The error that the caller sees, for what its call threw; undefined if the code does not foresee the error. */
export function knownErrorOf(error: unknown, method: string, params: RawParams): JsonRpcError | undefined {
  if (error instanceof JsonRpcError) return error;
  if (error instanceof AuthenticationFailure) return AUTHENTICATION_FAILURES[error.kind]();
  if (error instanceof DomainError) return refusalErrorOf(error.refusal, method);
  return error instanceof StoreError ? storeErrorOf(error, method, params) : undefined;
}

function refusalErrorOf<Kind extends Refusal['kind']>(
  refusal: Extract<Refusal, { kind: Kind }>,
  method: string,
): JsonRpcError {
  const row = REFUSALS[refusal.kind];
  return row(refusal, method);
}

/** The members that say by whom and when are named as those of the task. */
function finishedFacts({ taskId, status, finishedBy, finishedAtMs }: Extract<Refusal, { kind: 'task-finished' }>) {
  const finishedAt = finishedAtMs === undefined ? undefined : isoTime(finishedAtMs);
  const facts = { code: 'TASK_FINISHED', taskId, status } as const;
  return status === 'cancelled'
    ? { ...facts, cancelledBy: finishedBy, cancelledAt: finishedAt }
    : { ...facts, completedBy: finishedBy, completedAt: finishedAt };
}

function storeErrorOf({ store, outcome }: StoreError, method: string, params: RawParams): JsonRpcError {
  if (outcome === 'unavailable') return serviceUnavailable('STORE_UNAVAILABLE', `${STORES[store]} unavailable`);
  const [code, words] = STORE_FAILURES[outcome];
  const data = { code, taskId: taskIdOf(params), reason: `${STORES[store]} ${words}` };
  return new JsonRpcError(METHOD_FAILED, errorMessage('STORE_FAILED', rpcMethod(method)?.messages), data);
}

function attachmentNotFound(method: string, ref: AttachmentRef): string {
  const message = errorMessage('ATTACHMENT_NOT_FOUND', rpcMethod(method)?.messages);
  return message.replaceAll(/\{(taskId|key)\}/g, (_, name: keyof AttachmentRef) => ref[name]);
}

/** Undefined if the call is not about a single task. */
function taskIdOf(params: RawParams): string | undefined {
  const taskId = params.byName('taskId') ?? params.byName('id');
  return taskIdProblem(taskId) === undefined ? (taskId as string) : undefined;
}
