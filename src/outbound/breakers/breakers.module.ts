import { Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { Breakers } from './breakers';

@Module({
  providers: [{ provide: Breakers, useFactory: (registry: Registry) => new Breakers(registry), inject: [Registry] }],
  exports: [Breakers],
})
export class BreakersModule {}
