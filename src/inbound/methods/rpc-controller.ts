import { applyDecorators, Controller, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { ParamsPipe } from './params.pipe';
import { RateLimitGuard } from './rate-limit.guard';
import { RoleGuard } from './role.guard';
import { RpcErrorFilter } from './rpc-error.filter';

/** A class of JSON-RPC methods. Its guards, pipe and filter are not global, because they would be wrong for probes. */
export function RpcController(): ClassDecorator {
  return applyDecorators(
    Controller(),
    UseGuards(RateLimitGuard, RoleGuard),
    UsePipes(ParamsPipe),
    UseFilters(RpcErrorFilter),
  );
}
