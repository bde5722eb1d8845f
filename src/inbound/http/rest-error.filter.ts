import { Catch, Logger, type ArgumentsHost, type ExceptionFilter, type Type } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CallDurations } from '../json-rpc/call-durations';
import { unexpected } from '../json-rpc/json-rpc-error';
import { RawParams } from '../json-rpc/raw-params';
import { knownErrorOf } from '../methods/error-table';
import { idsOf } from './http-origin';
import { restRefusal, sendRest, type RestEndpoint } from './rest-reply';

/** The filter of an endpoint: turns what it or a guard threw into the reply that the caller sees, and counts it. */
export function restErrorFilter(endpoint: RestEndpoint): Type<ExceptionFilter> {
  @Catch()
  class RestErrorFilter implements ExceptionFilter {
    private readonly logger = new Logger(RestErrorFilter.name);

    constructor(private readonly durations: CallDurations) {}

    catch(error: unknown, host: ArgumentsHost): void {
      const http = host.switchToHttp();
      const ids = idsOf(http.getRequest<FastifyRequest>());
      const known = knownErrorOf(error, endpoint.name, RawParams.NONE) ?? unexpected(error, this.logger, ids);
      this.durations.thrown(known, ids);
      sendRest(http.getResponse<FastifyReply>(), restRefusal(known, endpoint));
    }
  }
  return RestErrorFilter;
}
