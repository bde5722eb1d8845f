import type { Clock } from '../ports/clock';
import { OrganizationUse } from './organization-use';

/** Of an organisation that is forgotten, the use is counted again. */
const MAX_ORGANIZATIONS = 10_000;

/** The use of the organisations of which this replica was asked, the last one last. */
export class UsageByOrganization {
  private readonly uses = new Map<string, OrganizationUse>();

  constructor(private readonly clock: Clock) {}

  of(organization: string): OrganizationUse {
    const use = this.uses.get(organization) ?? new OrganizationUse(this.clock);
    this.uses.delete(organization);
    this.uses.set(organization, use);
    const [longestUnused] = this.uses.keys();
    if (this.uses.size > MAX_ORGANIZATIONS) this.uses.delete(longestUnused as string);
    return use;
  }

  /** Something of the organisation was deleted. */
  shrunk(organization: string): void {
    this.uses.get(organization)?.shrunk();
  }
}
