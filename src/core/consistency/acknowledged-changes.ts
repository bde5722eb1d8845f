import type { AttachmentRef } from '../domain/attachment';
import type { CacheTrust } from './cache-trust';
import { OrganizationChanges, type AcknowledgedChange } from './organization-changes';

const DEFAULT_MAX_CHANGES = 100_000;

interface Owner {
  readonly organization: string;
}

/**
 * The changes that this replica has acknowledged, so that it never responds with anything older. They are kept, and
 * forgotten, for each organisation alone: no caller learns of the changes of another organisation, or displaces them.
 * Begins empty with the process. An organisation without changes takes no memory: tokens may name any number of them.
 */
export class AcknowledgedChanges {
  private readonly organizations = new Map<string, OrganizationChanges>();
  private size = 0;
  /** The highest version that was forgotten of organisations that are no longer kept. */
  private forgottenVersion = 0;

  constructor(
    private readonly trust: CacheTrust,
    private readonly maxChanges = DEFAULT_MAX_CHANGES,
  ) {}

  /** The changes of the caller's organisation, to read: what is acknowledged later may be missing in them. */
  of({ organization }: Owner): OrganizationChanges {
    return this.organizations.get(organization) ?? this.none();
  }

  /**
   * To be called before a change is acknowledged; `generation` is the one in which the cache was told of it, if at all.
   */
  remember(owner: Owner, ref: AttachmentRef, change: Omit<AcknowledgedChange, 'key'>, generation?: number): void {
    this.kept(owner).remember(ref, change, generation);
  }

  /** To be called before the deletion of a task is acknowledged; `version` is that of the deletion. */
  rememberDeleted(owner: Owner, taskId: string, version: number): void {
    this.kept(owner).rememberDeleted(taskId, version);
  }

  /**
   * To be called before the deletion of a tree is acknowledged, if others may have deleted a part of it. This replica
   * does not know which part, but all of it was committed below `horizon`: a cache that was brought there knows of it.
   */
  rememberTree(owner: Owner, taskId: string, version: number, horizon: number): void {
    const changes = this.kept(owner);
    changes.rememberDeleted(taskId, version);
    changes.needCursor(horizon);
  }

  /** How many organisations take memory. */
  get organizationCount(): number {
    return this.organizations.size;
  }

  /** The store has been replaced: it may have lost everything but what the journal still has. */
  forgetStored(): void {
    for (const [organization, changes] of this.organizations) {
      changes.forgetStored();
      this.dropIfEmpty(organization, changes);
    }
  }

  private kept({ organization }: Owner): OrganizationChanges {
    const known = this.organizations.get(organization);
    if (known) return known;
    const changes = this.none();
    this.organizations.set(organization, changes);
    return changes;
  }

  private none(): OrganizationChanges {
    return new OrganizationChanges(this.trust, (difference) => this.resize(difference), this.forgottenVersion);
  }

  /** If there are too many, the organisation that has most forgets its oldest. */
  private resize(difference: number): void {
    this.size += difference;
    if (difference <= 0 || this.size <= this.maxChanges) return;
    let largest: [string, OrganizationChanges] | undefined;
    for (const one of this.organizations) if (one[1].size > (largest?.[1].size ?? 0)) largest = one;
    if (!largest) return;
    largest[1].forgetOldest();
    this.dropIfEmpty(...largest);
  }

  private dropIfEmpty(organization: string, changes: OrganizationChanges): void {
    if (changes.size > 0) return;
    this.organizations.delete(organization);
    this.forgottenVersion = Math.max(this.forgottenVersion, changes.highestForgotten);
  }
}
