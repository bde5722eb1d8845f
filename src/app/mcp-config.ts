import type { Environment } from './environment';

/** The Model Context Protocol. */
export interface McpConfig {
  /** Whether models may delete tasks. */
  readonly allowsTaskDeletion: boolean;
}

/** Undefined if it is turned off. Throws `ConfigError`. */
export function mcpConfig(env: Environment): McpConfig | undefined {
  const allowsTaskDeletion = env.oneOf('MCP_ALLOW_TASK_DELETE', ['on', 'off'], 'off') === 'on';
  return env.oneOf('MCP', ['on', 'off'], 'on') === 'on' ? { allowsTaskDeletion } : undefined;
}
