import 'reflect-metadata';
import { serve } from './app/application';
import { ConfigError } from './app/environment';

serve().catch((error: unknown) => {
  // One line for the operator; a stack only where the fault may be ours.
  const isExpected = error instanceof ConfigError;
  process.stderr.write(
    `dossier: ${error instanceof Error ? (isExpected ? error.message : error.stack) : String(error)}\n`,
  );
  process.exit(1);
});
