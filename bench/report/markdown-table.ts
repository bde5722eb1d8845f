/** Cells that look like numbers are aligned to the right. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumeric = header.map((_, column) => rows.every((row) => /^[\d,.–]* ?%?$/.test(row[column] ?? '')));
  const rule = isNumeric.map((numeric) => (numeric ? '---:' : '---'));
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
