import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const DOCUMENTED_URL = 'http://127.0.0.1:3000';

/** The code blocks of a language in a document, for a service at another address. */
export function codeIn(document: string, language: string, url: string): string[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const blocks = [...text.matchAll(RegExp(`^ *\`\`\`${language}\n([^]*?)^ *\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  );
  return blocks.map((block) => block.replaceAll(DOCUMENTED_URL, url));
}
