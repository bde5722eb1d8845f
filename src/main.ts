import { StopSignals } from './app/stop-signals';

const signals = new StopSignals();

async function main(): Promise<void> {
  // Not imported above: to load it takes most of a second, in which a signal would end the process or be lost.
  const { serve } = await import('./app/application.js');
  await serve(signals);
}

main().catch((error: unknown) => {
  // One line for the operator; a stack only where the fault may be ours.
  const isExpected = error instanceof Error && error.name === 'ConfigError';
  process.stderr.write(
    `dossier: ${error instanceof Error ? (isExpected ? error.message : error.stack) : String(error)}\n`,
  );
  process.exit(1);
});
