import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { includesRole, type Role } from '../auth/credential';
import type { CallContext } from '../json-rpc/call-context';
import { FORBIDDEN, JsonRpcError } from '../json-rpc/json-rpc-error';

const NEEDED_ROLES: Readonly<Record<string, Role>> = {
  'task.get_attachment': 'read',
  'task.list_attachments': 'read',
  'task.get_attachments_batch': 'read',
  'task.create_attachment': 'write',
  'task.delete_attachment': 'write',
  'task.get': 'read',
  'task.list': 'read',
  'task.create': 'write',
  'task.update': 'write',
  'task.complete': 'write',
  'task.cancel': 'write',
  'task.delete': 'admin',
};

export function isMethod(name: string): boolean {
  return Object.hasOwn(NEEDED_ROLES, name);
}

/** Lets through who is known and may call the method; before any parameter is looked at. */
@Injectable()
export class RoleGuard implements CanActivate {
  canActivate(context: ExecutionContext): true {
    const { credential, method } = context.switchToRpc().getContext<CallContext>();
    // A method that nobody has entered in the table is not open to everybody.
    const needed = NEEDED_ROLES[method] ?? 'admin';
    if (includesRole(credential.role, needed)) return true;
    throw new JsonRpcError(FORBIDDEN, 'Forbidden', { code: 'FORBIDDEN', neededRole: needed });
  }
}
