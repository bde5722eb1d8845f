export class McpOptions {
  constructor(
    /** Of the service, semantic. */
    readonly version: string,
    /** Whether tools may delete tasks. */
    readonly allowsTaskDeletion: boolean,
  ) {}
}
