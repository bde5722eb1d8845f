import { getHeapStatistics } from 'node:v8';
import { Module, type DynamicModule } from '@nestjs/common';
import { AttachmentCache } from '../../core/ports/attachment-cache';
import { AttachmentJournal } from '../../core/ports/attachment-journal';
import { CacheEpoch } from '../../core/ports/cache-epoch';
import { Clock } from '../../core/ports/clock';
import { EventBus } from '../../core/ports/event-bus';
import { MemoryAttachmentCache, type MemoryAttachmentCacheOptions } from './memory-attachment-cache';
import { MemoryEventBus } from './memory-event-bus';
import { NoAttachmentJournal } from './no-attachment-journal';

/** Text with one character that Latin-1 lacks takes twice its bytes, and the records may take as much as the bodies. */
const MAX_HEAP_PART = 1 / 16;
const MAX_BYTES = Math.min(128 * 1024 * 1024, Math.floor(getHeapStatistics().heap_size_limit * MAX_HEAP_PART));
const CACHE_LIMITS = { maxTasks: 10_000, maxBytes: MAX_BYTES };

/** What serves instead of a server that is not configured. */
@Module({})
export class MemoryModule {
  static cache(options: Pick<MemoryAttachmentCacheOptions, 'ttlMs' | 'isStoreShared'>): DynamicModule {
    return {
      module: MemoryModule,
      providers: [
        {
          provide: AttachmentCache,
          useFactory: (clock: Clock) => new MemoryAttachmentCache(clock, { ...CACHE_LIMITS, ...options }),
          inject: [Clock],
        },
        { provide: CacheEpoch, useExisting: AttachmentCache },
        { provide: AttachmentJournal, useClass: NoAttachmentJournal },
      ],
      exports: [AttachmentCache, AttachmentJournal, CacheEpoch],
    };
  }

  static eventBus(): DynamicModule {
    return {
      module: MemoryModule,
      providers: [{ provide: EventBus, useClass: MemoryEventBus }],
      exports: [EventBus],
    };
  }
}
