import { isRole, ROLES, type Credential } from './credential';
import { Keys, type KeyFileFormat } from './key-file';
import { isOrganizationName } from './printable-name';

/** Each entry has `organization` and `role` besides. */
export const API_KEYS: KeyFileFormat<Credential> = {
  variable: 'API_KEYS_FILE',
  members: ['organization', 'role'],
  holderOf({ id, name, more: { organization, role } }) {
    if (!isOrganizationName(organization)) {
      return 'organization must be a name of 1 to 128 printable characters, and not blank';
    }
    if (!isRole(role)) return `role must be one of ${ROLES.join(', ')}`;
    return { id: `key:${id}`, caller: { organization, name }, role };
  },
};

/** The keys of callers. */
export class ApiKeys extends Keys<Credential> {}
