export type Scale = 'linear' | 'log';

/** One axis of a chart: which part of it a number is at, and the numbers that are written beside it. */
export interface Axis {
  /** From 0 to 1. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

const STEPS = [1, 2, 5];
/** With more decades, only powers of ten are written. */
const FEW_DECADES = 2.5;
const FEW_TICKS = 5;

/** An axis that holds all these numbers. A linear one begins at zero; on a logarithmic one they are above zero. */
export function axisFor(numbers: readonly number[], scale: Scale): Axis {
  return scale === 'log' ? logAxis(Math.min(...numbers), Math.max(...numbers)) : linearAxis(Math.max(...numbers));
}

function linearAxis(most: number): Axis {
  const rough = most / FEW_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([...STEPS, 10].find((one) => one * power >= rough) as number);
  const count = Math.ceil(most / step);
  return { at: (value) => value / (count * step), ticks: Array.from({ length: count + 1 }, (_, i) => i * step) };
}

function logAxis(least: number, most: number): Axis {
  const steps = Math.log10(most / least) > FEW_DECADES ? [1] : STEPS;
  const candidates: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++) {
    candidates.push(...steps.map((step) => Number(`${step}e${power}`)));
  }
  const from = candidates.findLast((tick) => tick <= least) as number;
  const to = candidates.find((tick) => tick >= most && tick > from) as number;
  const span = Math.log(to / from);
  return {
    at: (value) => Math.log(value / from) / span,
    ticks: candidates.filter((tick) => tick >= from && tick <= to),
  };
}
