import {
  createParamDecorator,
  HttpException,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AuthenticationFailures } from '../auth/authentication-failures';
import { AuthenticationFailure } from '../auth/credential';
import { OperatorKeys, type Operator } from '../auth/operator-keys';
import { idsOf, utf8 } from '../http/http-origin';
import { peerNetwork } from '../http/peer-network';

/** Not those of callers: whatever passes their credentials on does not pass these. */
export const OPERATOR_KEY_HEADER = 'x-operator-key';

const operators = new WeakMap<object, Operator>();

/** The parameter of a handler that takes the operator, as a line of the log names it. */
export const OperatorName = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const { id, name } = operators.get(context.switchToHttp().getRequest<object>()) as Operator;
  return `operator ${name} (${id})`;
});

/** Lets operators pass. The credential of a caller opens nothing here, whatever its role is. */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(
    private readonly keys: OperatorKeys,
    private readonly failures: AuthenticationFailures,
  ) {}

  canActivate(context: ExecutionContext): true {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const presented = utf8(request.headers[OPERATOR_KEY_HEADER]);
    const operator = presented === undefined ? undefined : this.keys.find(presented);
    if (!operator) {
      const failure = new AuthenticationFailure('unauthorized', presented === undefined ? 'missing' : 'wrong_key');
      this.failures.add(failure, peerNetwork(request), idsOf(request));
      throw new HttpException({ detail: 'Invalid or missing operator key' }, 401);
    }
    operators.set(request, operator);
    return true;
  }
}
