import type { ArgumentsHost } from '@nestjs/common';
import type { CallContext } from '../json-rpc/call-context';

const callsOverHttp = new WeakMap<object, CallContext>();

/** The call that a guard, a filter or a handler works on, of a method or of an HTTP endpoint that is no method. */
export function callOf(host: ArgumentsHost): CallContext {
  if (host.getType() === 'rpc') return host.switchToRpc().getContext<CallContext>();
  return callsOverHttp.get(host.switchToHttp().getRequest<object>()) as CallContext;
}

/** Makes `call` the one that `callOf` finds for this request to an HTTP endpoint. */
export function setCallOf(request: object, call: CallContext): void {
  callsOverHttp.set(request, call);
}
