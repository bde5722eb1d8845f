import type { CacheTrust } from './cache-trust';
import { OrganizationChanges } from './organization-changes';

const DEFAULT_MAX_CHANGES = 100_000;

/**
 * The changes that this replica has acknowledged, so that it never responds with anything older. They are kept, and
 * forgotten, for each organisation alone: no caller learns of the changes of another organisation, or displaces them.
 * Begins empty with the process.
 */
export class AcknowledgedChanges {
  private readonly organizations = new Map<string, OrganizationChanges>();
  private size = 0;

  constructor(
    private readonly trust: CacheTrust,
    private readonly maxChanges = DEFAULT_MAX_CHANGES,
  ) {}

  /** The changes of the caller's organisation. */
  of({ organization }: { readonly organization: string }): OrganizationChanges {
    const known = this.organizations.get(organization);
    if (known) return known;
    const changes = new OrganizationChanges(this.trust, (difference) => this.resize(difference));
    this.organizations.set(organization, changes);
    return changes;
  }

  /** If there are too many, the organisation that has most forgets its oldest. */
  private resize(difference: number): void {
    this.size += difference;
    if (difference <= 0 || this.size <= this.maxChanges) return;
    const [first, ...others] = this.organizations.values();
    let largest = first as OrganizationChanges;
    for (const one of others) if (one.size > largest.size) largest = one;
    largest.forgetOldest();
  }
}
