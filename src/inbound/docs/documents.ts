import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { asyncApiDocument } from './asyncapi-document';
import { openApiDocument } from './openapi-document';
import { openRpcDocument } from './openrpc-document';
import { ServiceFacts } from './service-facts';

/** The text of a document, as it is sent. */
export interface PublishedDocument {
  readonly text: string;
  /** Of the text, as HTTP has it: in quotes. */
  readonly etag: string;
}

export type DocumentName = 'openrpc' | 'openapi' | 'asyncapi';

const BUILDERS: Readonly<Record<DocumentName, (facts: ServiceFacts) => object>> = {
  openrpc: openRpcDocument,
  openapi: openApiDocument,
  asyncapi: asyncApiDocument,
};

/** The machine-readable contracts. Each is built when it is first asked for, and does not change afterwards. */
@Injectable()
export class Documents {
  private readonly built = new Map<DocumentName, PublishedDocument>();

  constructor(private readonly facts: ServiceFacts) {}

  get(name: DocumentName): PublishedDocument {
    let document = this.built.get(name);
    if (!document) {
      const text = JSON.stringify(BUILDERS[name](this.facts));
      document = { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
      this.built.set(name, document);
    }
    return document;
  }
}
