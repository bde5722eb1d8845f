import { Injectable } from '@nestjs/common';
import { asyncApiDocument } from './asyncapi-document';
import { openApiDocument } from './openapi-document';
import { openRpcDocument } from './openrpc-document';
import { publish, type Publication } from './publication';
import { ServiceFacts } from './service-facts';

export type DocumentName = 'openrpc' | 'openapi' | 'asyncapi';

const BUILDERS: Readonly<Record<DocumentName, (facts: ServiceFacts) => object>> = {
  openrpc: openRpcDocument,
  openapi: openApiDocument,
  asyncapi: asyncApiDocument,
};

/** The machine-readable contracts. Each is built when it is first asked for, and does not change afterwards. */
@Injectable()
export class Documents {
  private readonly built = new Map<DocumentName, Publication>();

  constructor(private readonly facts: ServiceFacts) {}

  get(name: DocumentName): Publication {
    let document = this.built.get(name);
    if (!document) {
      document = publish(JSON.stringify(BUILDERS[name](this.facts)));
      this.built.set(name, document);
    }
    return document;
  }
}
