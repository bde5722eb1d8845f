import { Catch, Injectable, Logger, type ArgumentsHost, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { StoreError } from '../../core/ports/store-error';
import { unexpected } from '../json-rpc/json-rpc-error';
import type { RawParams } from '../json-rpc/raw-params';
import { callOf } from './call-of';
import { DeduplicatedLog } from './deduplicated-log';
import { knownErrorOf } from './error-table';

/** Turns what a call threw into the error that its caller sees, and logs what only operators may see. */
@Catch()
@Injectable()
export class RpcErrorFilter implements RpcExceptionFilter {
  private readonly logger = new Logger(RpcErrorFilter.name);
  /** By method: in an outage every call would write a line. */
  private readonly storeFailures = new DeduplicatedLog((line, ids) => this.logger.warn(line, ids));

  catch(error: unknown, host: ArgumentsHost): Observable<never> {
    const { method, ids } = callOf(host);
    if (error instanceof StoreError) this.storeFailures.add(method, textOf(error), ids);
    const params = host.switchToRpc().getData<RawParams>();
    return throwError(() => knownErrorOf(error, method, params) ?? unexpected(error, this.logger, ids));
  }
}

function textOf({ message, code }: StoreError): string {
  return code === undefined ? message : `${message} (${code})`;
}
