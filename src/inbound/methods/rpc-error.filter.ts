import { Catch, Injectable, Logger, type ArgumentsHost, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { DomainError } from '../../core/domain/domain-error';
import { StoreError } from '../../core/ports/store-error';
import { AuthenticationFailure } from '../auth/credential';
import type { CallContext } from '../json-rpc/call-context';
import { authenticationErrorOf, refusalErrorOf, storeErrorOf } from './error-table';
import { JsonRpcError, unexpected } from '../json-rpc/json-rpc-error';
import type { RawParams } from '../json-rpc/raw-params';
import { DeduplicatedLog } from './deduplicated-log';

/** Turns whatever a call throws into the error that its caller sees, and logs what only operators may see. */
@Catch()
@Injectable()
export class RpcErrorFilter implements RpcExceptionFilter {
  private readonly logger = new Logger(RpcErrorFilter.name);
  /** By method: in an outage every call would make one. */
  private readonly storeFailures = new DeduplicatedLog((line) => this.logger.warn(line));

  catch(error: unknown, host: ArgumentsHost): Observable<never> {
    const rpc = host.switchToRpc();
    return throwError(() => this.translate(error, rpc.getContext<CallContext>().method, rpc.getData<RawParams>()));
  }

  private translate(error: unknown, method: string, params: RawParams): JsonRpcError {
    if (error instanceof JsonRpcError) return error;
    if (error instanceof AuthenticationFailure) return authenticationErrorOf(error);
    if (error instanceof DomainError) return refusalErrorOf(error.refusal, method);
    if (error instanceof StoreError) {
      this.storeFailures.add(method, `${error.message}${causeCode(error)}`);
      return storeErrorOf(error, method, params);
    }
    return unexpected(error, this.logger);
  }
}

/** A driver's error code; not its message, which may quote what was to be stored. */
function causeCode({ cause }: StoreError): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? ` (${code})` : '';
}
