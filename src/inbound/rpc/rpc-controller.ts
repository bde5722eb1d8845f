import { applyDecorators, Controller, UseFilters, UsePipes } from '@nestjs/common';
import { ParamsPipe } from './params.pipe';
import { RpcErrorFilter } from './rpc-error.filter';

/** A class of JSON-RPC methods. Its pipe and filter would be wrong for probes, hence not global. */
export function RpcController(): ClassDecorator {
  return applyDecorators(Controller(), UsePipes(ParamsPipe), UseFilters(RpcErrorFilter));
}
