import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { includesRole, type Role } from '../auth/credential';
import { FORBIDDEN, JsonRpcError } from '../json-rpc/json-rpc-error';
import { callOf } from './call-of';

const ROLES_OF_METHODS: Readonly<Record<string, Role>> = {
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

const NEEDED_ROLES: Readonly<Record<string, Role>> = { ...ROLES_OF_METHODS, events: 'read' };

export function isMethod(name: string): boolean {
  return Object.hasOwn(ROLES_OF_METHODS, name);
}

/** Lets a call through if its caller is known and has the role for it. Runs before any parameter is read. */
@Injectable()
export class RoleGuard implements CanActivate {
  canActivate(context: ExecutionContext): true {
    const { credential, method } = callOf(context);
    // A method that is missing from the table must not be open to every role.
    const needed = NEEDED_ROLES[method] ?? 'admin';
    if (includesRole(credential.role, needed)) return true;
    throw new JsonRpcError(FORBIDDEN, 'Forbidden', { code: 'FORBIDDEN', neededRole: needed });
  }
}
