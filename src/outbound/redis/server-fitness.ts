/** Takes the server's reply to INFO. Undefined if nothing is wrong, or if the reply does not contain the settings. */
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
