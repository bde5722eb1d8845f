import 'reflect-metadata';
import { serve } from './app/application';
import { ConfigError } from './app/environment';
import { USAGE } from './app/usage';

const args = process.argv.slice(2);

if (args.some((arg) => ['-h', '--help', 'help'].includes(arg))) process.stdout.write(USAGE);
else if (args.length > 0) refuse(`unknown argument ${JSON.stringify(args[0])}: settings are variables, see --help`);
else {
  serve().catch((error: unknown) => {
    // One line for the operator; a stack only where the fault may be ours.
    const isExpected = error instanceof ConfigError;
    refuse(error instanceof Error ? ((isExpected ? error.message : error.stack) ?? '') : String(error));
  });
}

function refuse(reason: string): never {
  process.stderr.write(`dossier: ${reason}\n`);
  process.exit(1);
}
