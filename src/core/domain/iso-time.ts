const DAY_MS = 24 * 60 * 60 * 1000;
const THREE_DIGITS = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'));
const TWO_DIGITS = THREE_DIGITS.slice(0, 60).map((digits) => digits.slice(1));

/** The day of the last time that was printed: most times of a reply are of one day. */
let printed = { day: NaN, text: '' };

/** ISO 8601 in UTC with milliseconds, like every time on the wire. `Date` takes four times as long. */
export function isoTime(epochMs: number): string {
  const day = Math.floor(epochMs / DAY_MS);
  if (day !== printed.day) printed = { day, text: new Date(day * DAY_MS).toISOString().slice(0, 'YYYY-MM-DDT'.length) };
  const ms = Math.floor(epochMs - day * DAY_MS);
  const [seconds, minutes] = [Math.floor(ms / 1000), Math.floor(ms / 60_000)];
  const [hour, minute, second] = [Math.floor(minutes / 60), minutes % 60, seconds % 60].map((n) => TWO_DIGITS[n]);
  return `${printed.text}${hour}:${minute}:${second}.${THREE_DIGITS[ms % 1000]}Z`;
}
