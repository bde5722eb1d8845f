import { setImmediate } from 'node:timers/promises';
import { Controller, Get, Header } from '@nestjs/common';
import { Registry } from 'prom-client';

@Controller()
export class MetricsController {
  private nextText?: Promise<string>;

  constructor(private readonly registry: Registry) {}

  /** Requests that come in together share one text: it takes as long as several calls, and needs no credential. */
  @Get('metrics')
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  scrape(): Promise<string> {
    return (this.nextText ??= this.textOfNextTurn());
  }

  /** Not older than any of its requests: it is made when all of them have come in. */
  private async textOfNextTurn(): Promise<string> {
    await setImmediate();
    this.nextText = undefined;
    return this.registry.metrics();
  }
}
