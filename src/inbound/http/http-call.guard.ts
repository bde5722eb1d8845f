import { createParamDecorator, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Authenticator } from '../auth/authenticator';
import { CallContext } from '../json-rpc/call-context';
import { callOf, setCallOf } from '../methods/call-of';
import { httpOrigin } from './http-origin';

/** The name under which the guards of the methods judge an HTTP endpoint. */
export const CallName = Reflector.createDecorator<string>();

/** The call that `HttpCallGuard` has made of the request. */
export const HttpCall = createParamDecorator((_data: unknown, context: ExecutionContext) => callOf(context));

/** Makes a call of an HTTP request, so that the guards of the methods, which come next, can judge it. */
@Injectable()
export class HttpCallGuard implements CanActivate {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<true> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const name = this.reflector.get(CallName, context.getHandler());
    setCallOf(request, new CallContext(await httpOrigin(request, this.authenticator), name));
    return true;
  }
}
