import type { TreeDeletion } from '../../core/ports/tree-deletion';

/** A deleted task whose sub-tasks are still to be deleted. */
export interface DeletedParent {
  readonly taskId: string;
  /** What was above it, the nearest first. */
  readonly ancestors: readonly string[];
  /** The deletion of which it is a part. */
  readonly tree: TreeDeletion;
  readonly begunAtMs: number;
}

/** The deletions of trees that have steps to go, and the turn of those that no caller has asked for. */
export class MemoryTreeDeletions {
  private parents: readonly DeletedParent[] = [];
  private turnEndsAtMs = Number.NEGATIVE_INFINITY;

  copy(): MemoryTreeDeletions {
    const copy = new MemoryTreeDeletions();
    copy.parents = this.parents;
    copy.turnEndsAtMs = this.turnEndsAtMs;
    return copy;
  }

  takeTurn(nowMs: number, lengthMs: number): boolean {
    if (nowMs < this.turnEndsAtMs) return false;
    this.turnEndsAtMs = nowMs + lengthMs;
    return true;
  }

  /** The oldest first. */
  begunUntil(ms: number): readonly TreeDeletion[] {
    const old = this.parents.filter(({ begunAtMs }) => begunAtMs <= ms);
    return [...new Map(old.map(({ tree }) => [tree.taskId, tree])).values()];
  }

  /** Those of a task that was deleted below the root before are among them. */
  of({ taskId, caller }: TreeDeletion): readonly DeletedParent[] {
    return this.parents.filter(
      ({ tree, ancestors }) =>
        tree.caller.organization === caller.organization && (tree.taskId === taskId || ancestors.includes(taskId)),
    );
  }

  begunAtMs({ taskId }: TreeDeletion): number | undefined {
    return this.parents.find(({ tree }) => tree.taskId === taskId)?.begunAtMs;
  }

  add(parents: readonly DeletedParent[]): void {
    this.parents = [...this.parents, ...parents];
  }

  /** Forgets those that have no sub-task any more. */
  keep(hasSubTask: (taskId: string) => boolean): void {
    this.parents = this.parents.filter(({ taskId }) => hasSubTask(taskId));
  }

  ancestorsOf(taskId: string): readonly string[] {
    return this.parents.find((parent) => parent.taskId === taskId)?.ancestors ?? [];
  }
}
