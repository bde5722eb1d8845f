import { createParamDecorator, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Authenticator } from '../auth/authenticator';
import { CallContext } from '../json-rpc/call-context';
import { callOf, setCallOf } from '../methods/call-of';
import { httpOrigin } from './http-origin';

/** The name of an HTTP endpoint in the tables of the guards. */
export const CallName = Reflector.createDecorator<string>();

/** The parameter of a handler that takes the call. */
export const HttpCall = createParamDecorator((_data: unknown, context: ExecutionContext) => callOf(context));

/** Turns an HTTP request into a call, so that the guards of the methods, which come next, can judge it. */
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
