import { Global, Module } from '@nestjs/common';
import { Clock } from '../../core/ports/clock';
import { IdSource } from '../../core/ports/id-source';
import { RandomIdSource } from './random-id-source';
import { SystemClock } from './system-clock';

/** Time and ids, as this machine gives them. Global: other modules need them as well. */
@Global()
@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: IdSource, useClass: RandomIdSource },
  ],
  exports: [Clock, IdSource],
})
export class SystemModule {}
