/** From the server's answer to INFO; undefined where nothing is wrong, or the answer does not tell. */
export function unfitnessOf(info: string): string | undefined {
  const setting = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const policy = setting('maxmemory_policy');
  const evictsAnything = Number(setting('maxmemory')) > 0 && policy?.startsWith('allkeys-');
  const reasons = [
    ...(evictsAnything ? [`maxmemory-policy ${policy} may evict writes that only Redis holds.`] : []),
    ...(setting('aof_enabled') === '0' ? ['appendonly is off: a restart loses writes that only Redis holds.'] : []),
  ];
  return reasons.length > 0 ? reasons.join(' ') : undefined;
}
