import type { Random } from '../simulation/random';

const LARGE_BYTES = 256 * 1024;
const WORDS = ['über', 'order', 'naïve', 'total', '数量', 'note', '"quoted"', 'a\nb'];

/** The members of an attachment of any type; now and then a large one. */
export function someBody(random: Random): Readonly<Record<string, unknown>> {
  const words = Array.from({ length: random.between(1, 8) }, () => random.pick(WORDS)).join(' ');
  const text = random.chance(0.03) ? words.padEnd(random.between(LARGE_BYTES / 4, LARGE_BYTES), '. ') : words;
  const types = {
    json: () => ({ value: random.pick<unknown>([null, 0, false, '', text, [1.5, text], { b: text, a: { n: -1 } }]) }),
    markdown: () => ({ content: `# ${text}` }),
    text: () => ({ content: random.chance(0.1) ? '' : text }),
    url: () => ({ url: `https://files.example/${random.int(1000)}` }),
    binary: () => ({ mimeType: 'image/png', size: random.between(1, 1_000_000), url: 'https://files.example/image' }),
  };
  const type = random.weighted({ json: 4, markdown: 1, text: 1, url: 1, binary: 1 });
  return { type, ...types[type]() };
}
