import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { unexpected } from '../json-rpc/json-rpc-error';
import { RawParams } from '../json-rpc/raw-params';
import { knownErrorOf } from '../methods/error-table';
import { idsOf } from './http-origin';
import { restRefusal, sendRest, type RestEndpoint } from './rest-reply';

const NO_PARAMS = new RawParams({}, () => '{}');

/** Turns what an endpoint or a guard threw into the reply that the caller sees. */
@Catch()
export class RestErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(RestErrorFilter.name);

  constructor(private readonly endpoint: RestEndpoint) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const ids = idsOf(http.getRequest<FastifyRequest>());
    const known = knownErrorOf(error, this.endpoint.name, NO_PARAMS) ?? unexpected(error, this.logger, ids);
    sendRest(http.getResponse<FastifyReply>(), restRefusal(known, this.endpoint));
  }
}
