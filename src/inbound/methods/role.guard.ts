import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { includesRole, type Role } from '../auth/credential';
import { FORBIDDEN, JsonRpcError } from '../json-rpc/json-rpc-error';
import { callOf } from './call-of';
import { rpcMethod } from './rpc-method';

/** Of HTTP endpoints that are no methods. */
const ROLES_OF_ENDPOINTS: Readonly<Record<string, Role>> = { events: 'read' };

/** Lets a call through if its caller is known and has the role for it. Runs before any parameter is read. */
@Injectable()
export class RoleGuard implements CanActivate {
  canActivate(context: ExecutionContext): true {
    const { credential, method } = callOf(context);
    // A method that is not described must not be open to every role.
    const needed = rpcMethod(method)?.role ?? ROLES_OF_ENDPOINTS[method] ?? 'admin';
    if (includesRole(credential.role, needed)) return true;
    throw new JsonRpcError(FORBIDDEN, 'Forbidden', { code: 'FORBIDDEN', neededRole: needed });
  }
}
