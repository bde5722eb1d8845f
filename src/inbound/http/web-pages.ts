import type { IncomingHttpHeaders } from 'node:http';

export interface WebPageRules {
  /** Origins whose pages may call. */
  readonly corsOrigins: readonly string[];
  /** Whether calls need no credential: then any page that a developer opens could call. */
  readonly isOpen: boolean;
  /** Names that may stand in `Host`; undefined for any. */
  readonly hosts?: (name: string) => boolean;
}

const PORT = /:\d*$/;
const SHARED_HEADERS = {
  'access-control-expose-headers':
    'retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id',
};
const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, POST, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, traceparent, tracestate, ' +
    'x-api-key, x-instance-id, x-request-id',
  'access-control-max-age': '600',
};

/**
 * Decides which requests of web pages are served. A browser sends them from inside the network of its user, whatever
 * site the page comes from; it also sends a page's requests to any address that the name of the page's own site stands
 * for.
 */
export class WebPages {
  /** The last `Host` that was found right: nearly every request has the same. */
  private rightHost?: string;

  constructor(private readonly rules: WebPageRules) {}

  /** Why the request is refused, or undefined. */
  refusal(method: string, headers: IncomingHttpHeaders): string | undefined {
    if (!this.rules.isOpen) return undefined;
    if (!this.isRightHost(headers.host)) return 'Host is not loopback';
    return this.isOfOtherSite(method, headers) ? 'web pages of other origins may not call' : undefined;
  }

  /** What a browser reads before it hands a reply to the page. */
  headers(origin: string | undefined): Readonly<Record<string, string>> | undefined {
    if (this.rules.corsOrigins.length === 0) return undefined;
    if (!this.allows(origin)) return { vary: 'origin' };
    return { vary: 'origin', 'access-control-allow-origin': origin, ...SHARED_HEADERS };
  }

  /** Undefined unless the request is a browser's question whether a page of an allowed origin may call. */
  preflight(method: string, headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    return isPreflight && this.allows(headers.origin) ? PREFLIGHT_HEADERS : undefined;
  }

  private isRightHost(host = ''): boolean {
    const { hosts } = this.rules;
    if (!hosts || host === this.rightHost) return true;
    if (!hosts(host.replace(PORT, '').toLowerCase())) return false;
    this.rightHost = host;
    return true;
  }

  private allows(origin: string | undefined): origin is string {
    return origin !== undefined && this.rules.corsOrigins.includes(origin);
  }

  private isOfOtherSite(method: string, headers: IncomingHttpHeaders): boolean {
    const { origin, host = '' } = headers;
    if (this.allows(origin)) return false;
    const own = host.toLowerCase();
    if (origin !== undefined) return origin !== `http://${own}` && origin !== `https://${own}`;
    const site = headers['sec-fetch-site'];
    // A link to a page of this service is harmless: the other page cannot read what opens.
    const isLink = method === 'GET' && headers['sec-fetch-dest'] === 'document';
    return (site === 'cross-site' || site === 'same-site') && !isLink;
  }
}
