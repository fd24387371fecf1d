// A browser that watches the page: errors of its console, and requests to anywhere else.
import { createRequire } from 'node:module';
import path from 'node:path';

export class Browser {
  static async launch(modules, chromium) {
    const require = createRequire(path.join(modules, 'x.js'));
    const browser = await require('playwright-core').chromium.launch({ executablePath: chromium, args: ['--no-sandbox'] });
    return new Browser(browser, require('axe-core').source);
  }

  constructor(browser, axe) {
    this.browser = browser;
    this.axe = axe;
  }

  /**
   * A page in a window of its own. What is wrong with it goes to `page.faults`. `routes` are answered
   * by the test, `expected` faults are none, and with `clock` the test sets the time.
   */
  async open(url, options = {}) {
    const { routes = {}, expected = [], clock = false, ...more } = options;
    const context = await this.browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', ...more });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.faults = [];
    const note = (text) => expected.some((pattern) => pattern.test(text)) || page.faults.push(text);
    page.on('pageerror', (error) => note(`error: ${error.stack ?? error}`));
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && note(`console: ${message.text()} (${message.location().url})`));
    page.on('request', (request) => new URL(request.url()).origin === new URL(url).origin || note(`request outside: ${request.url()}`));
    /** Of the document and its files, as sent. */
    page.bytes = 0;
    page.on('requestfinished', async (request) => {
      const isOfThePage = request.isNavigationRequest() || request.url().includes('/debug/ui/');
      const sizes = isOfThePage && (await request.sizes().catch(() => null));
      if (sizes) page.bytes += sizes.responseBodySize + sizes.responseHeadersSize;
    });
    for (const [pattern, answer] of Object.entries(routes)) await page.route(pattern, answer);
    if (clock) await page.clock.install();
    await page.goto(url);
    return page;
  }

  /** Violations of accessibility that matter, one line each. */
  async violations(page) {
    const other = await this.browser.newContext({ viewport: page.viewportSize(), bypassCSP: true, colorScheme: await scheme(page), reducedMotion: 'reduce' });
    const copy = await other.newPage();
    await copy.goto(page.url());
    await copy.waitForSelector('#flame-told:not(:empty), #flame-view .empty:not([hidden])', { state: 'attached' });
    await copy.evaluate(this.axe);
    const found = await copy.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    await other.close();
    return found.violations
      .filter((of) => ['serious', 'critical'].includes(of.impact))
      .flatMap((of) => of.nodes.map((node) => `${of.id}: ${node.target.join(' ')}: ${node.failureSummary.split('\n')[1]?.trim()}`));
  }

  close() {
    return this.browser.close();
  }
}

const scheme = (page) => page.evaluate(() => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));
