import type { SpanAttributes, SpanOptions, Tracing } from '../../core/ports/tracing';
import type { Database } from './database';
import type { Query } from './pooled-session';
import { targetOf } from './postgres-address';

/** What a statement reads, writes or calls: the first name behind one of these words. */
const TARGET = /\b(?:FROM|INTO|UPDATE|SELECT)\s+(?!unnest\b)([a-z_]+)(?=[\s(]|$)/;

/**
 * A span for each statement of a call. Every value is a parameter of the statement, and no parameter is in the span:
 * the text is one of those in this folder.
 */
export class SqlSpans {
  private readonly common: SpanAttributes;
  private readonly byText = new Map<string, SpanOptions>();

  constructor(
    private readonly tracing: Tracing,
    { server }: Database,
  ) {
    this.common = { 'db.system.name': 'postgresql', ...(server && addressAttributes(server.url)) };
  }

  around(query: Query): Query {
    return (text, values) => this.tracing.part(this.optionsOf(text), () => query(text, values));
  }

  private optionsOf(text: string): SpanOptions {
    let options = this.byText.get(text);
    if (!options) {
      options = { name: summaryOf(text), kind: 'client', attributes: this.attributesOf(text) };
      this.byText.set(text, options);
    }
    return options;
  }

  private attributesOf(text: string): SpanAttributes {
    const words = text.trim().replace(/\s+/g, ' ');
    return {
      ...this.common,
      'db.operation.name': operationOf(text),
      'db.query.summary': summaryOf(text),
      'db.query.text': words,
    };
  }
}

function summaryOf(text: string): string {
  const target = TARGET.exec(text)?.[1];
  return target === undefined ? operationOf(text) : `${operationOf(text)} ${target}`;
}

/** A statement that begins with named subqueries is named after what follows. */
function operationOf(text: string): string {
  const word = /^\s*(\w+)/.exec(text)?.[1] ?? '';
  return word === 'WITH' ? 'SELECT' : word;
}

function addressAttributes(url: string): SpanAttributes {
  const { host, port, database } = targetOf(url);
  return { 'db.namespace': database, 'server.address': host, 'server.port': Number(port) };
}
