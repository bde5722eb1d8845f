import { serveUntilStopped } from './app/serve-until-stopped';
import { USAGE } from './app/usage';

const args = process.argv.slice(2);

if (args.some((arg) => ['-h', '--help', 'help'].includes(arg))) process.stdout.write(USAGE);
else if (args.length > 0) refuse(`unknown argument ${JSON.stringify(args[0])}: settings are variables, see --help`);
else serveUntilStopped().catch((error: unknown) => refuse(reasonOf(error)));

/** One line for the operator; a stack only if the fault may be ours. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'ConfigError' ? error.message : (error.stack ?? error.message);
}

function refuse(reason: string): never {
  process.stderr.write(`dossier: ${reason}\n`);
  process.exit(1);
}
