// What is wrong with a page, whether or not a step looks for it.
//
// In: a page. Out: a list of problems: errors on its console, what the content security policy refused, scripts that threw, requests that
// failed or left the app; and for `look`, what axe finds and pages wider than the screen. What a step provokes on purpose is named with `expect`.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from '@axe-core/playwright';

const AxeBuilder = axe.default ?? axe;
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

export class Watch {
  constructor(page, folder, origins) {
    this.page = page;
    this.folder = folder;
    this.origins = origins;
    this.problems = [];
    this.expected = [];
    this.violations = new Map();
    if (folder) mkdirSync(folder, { recursive: true });
  }

  async start() {
    const { page } = this;
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`CSP ${event.violatedDirective} refused ${event.blockedURI} (${event.sourceFile}:${event.lineNumber})`));
    });
    page.on('console', (message) => message.type() === 'error' && this.problem(`console: ${message.text()} (${message.location().url})`));
    page.on('pageerror', (error) => this.problem(`script: ${error.stack ?? error}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (/^https?:$/.test(url.protocol) && !this.origins.includes(url.origin)) this.problem(`a request left the app: ${request.method()} ${url}`);
    });
    page.on('response', (response) => response.status() >= 400 && this.problem(`${response.status()} ${response.request().method()} ${response.url()}`));
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText;
      // What is under way when a page is left ends so.
      if (why !== 'net::ERR_ABORTED') this.problem(`${why} ${request.method()} ${request.url()}`);
    });
  }

  problem(text) {
    if (!this.expected.some((pattern) => pattern.test(text))) this.problems.push(text);
  }

  /** A problem that a step provokes. Browsers report some of them late, so it stays expected. */
  expect(pattern) {
    this.expected.push(pattern);
  }

  /** Screenshots on both screens in both schemes, axe on each; leaves the page on a light desktop. */
  async look(name) {
    if (!this.folder) return;
    for (const [size, viewport] of Object.entries(SIZES)) {
      await this.page.setViewportSize(viewport);
      for (const scheme of ['light', 'dark']) {
        await this.page.emulateMedia({ colorScheme: scheme });
        await this.page.evaluate(() => document.fonts.ready);
        await this.page.screenshot({ path: join(this.folder, `${name}-${size}-${scheme}.png`), fullPage: true, animations: 'disabled' });
        await this.axe(`${name}, ${size}, ${scheme}`);
      }
      const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 1) this.problem(`${name}, ${size}: the page is ${wide} pixels wider than the screen`);
    }
    await this.page.setViewportSize(SIZES.desktop);
    await this.page.emulateMedia({ colorScheme: 'light' });
  }

  async axe(where) {
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    for (const { id, help, nodes } of violations) {
      for (const { html, any } of nodes) {
        const what = `${id}: ${help}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`;
        this.violations.set(what, [...(this.violations.get(what) ?? []), where]);
      }
    }
  }

  /** Everything found, each once. */
  all() {
    return [...new Set(this.problems), ...[...this.violations].map(([what, places]) => `axe: ${what} (${places.join('; ')})`)];
  }

  async failure(name) {
    if (this.folder) await this.page.screenshot({ path: join(this.folder, `failed-${name}.png`), fullPage: true }).catch(() => {});
  }
}
