import { Module, type DynamicModule } from '@nestjs/common';
import { DiscoverRpc } from './discover.rpc';
import { Documents } from './documents';
import { DocumentsController } from './documents.controller';
import { PageController } from './page.controller';
import { PageFiles } from './page-files';
import { ServiceFacts } from './service-facts';

/** What is generated from the description of the methods and events. */
@Module({})
export class DocsModule {
  static register(facts: ServiceFacts): DynamicModule {
    return {
      module: DocsModule,
      controllers: [DocumentsController, PageController, DiscoverRpc],
      providers: [Documents, PageFiles, { provide: ServiceFacts, useValue: facts }],
    };
  }
}
