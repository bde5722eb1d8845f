import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findOrInstall } from './installed-binary';

/** A page that was opened, and what must not happen on it. */
export interface WatchedPage {
  readonly page: Page;
  /** Addresses of other origins that the page has asked for. They are never reached. */
  readonly foreignRequests: readonly string[];
  /** What the browser has complained about: violations of the policy, errors of scripts, dialogs. */
  readonly complaints: readonly string[];
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: findOrInstall('chromium') });
}

/** A blank page, without anything that an earlier page has left. Only `origin` can be reached from it. */
export async function openPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const foreignRequests: string[] = [];
  const complaints: string[] = [];
  await context.route(
    (url) => url.origin !== origin,
    (route) => {
      foreignRequests.push(route.request().url());
      return route.abort();
    },
  );
  await context.exposeFunction('complain', (text: string) => void complaints.push(text));
  await context.addInitScript(`addEventListener('securitypolicyviolation',
    ({ violatedDirective, blockedURI }) => complain(violatedDirective + ' ' + blockedURI))`);
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (entry) => {
    // A status that a test has provoked is no complaint.
    if (entry.type() === 'error' && !entry.text().startsWith('Failed to load')) complaints.push(entry.text());
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  return { page, foreignRequests, complaints };
}
