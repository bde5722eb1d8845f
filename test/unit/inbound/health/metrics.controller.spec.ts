import { Counter, Registry } from 'prom-client';
import { MetricsController } from '../../../../src/inbound/health/metrics.controller';

describe('MetricsController', () => {
  it('requests that come in together share one text, and none gets values from before it came', async () => {
    const registry = new Registry();
    const counter = new Counter({ name: 'events', help: 'x', registers: [registry] });
    const render = jest.spyOn(registry, 'metrics');
    const controller = new MetricsController(registry);
    const together = Array.from({ length: 100 }, () => controller.scrape());
    counter.inc();
    const texts = await Promise.all(together);
    expect(new Set(texts)).toEqual(new Set([expect.stringContaining('events 1')]));
    expect(render).toHaveBeenCalledTimes(1);
    counter.inc();
    expect(await controller.scrape()).toContain('events 2');
  });
});
