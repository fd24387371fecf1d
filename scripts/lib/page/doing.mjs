// What several cases do.
/** The example's leaking maps. */
export const CASES = ['sessions', 'metrics', 'closures', 'field', 'callbacks'];
export const NARROW = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
export const DARK = { colorScheme: 'dark' };
/** Both themes, each on a desk and on a telephone. */
export const SCREENS = [
  ['light-1440', {}],
  ['dark-1440', DARK],
  ['light-390', NARROW],
  ['dark-390', { ...NARROW, ...DARK }],
];
/** What browsers say by themselves of answers that are errors. */
export const FAILED = /Failed to load resource/;

/** Keys of the rows that are shown. */
export const names = (page, table) => page.locator(`#${table} tbody tr:not([hidden])`).evaluateAll((rows) => rows.map((row) => row.dataset.key));

/** Figures of a column, of the rows that are shown. */
export const figures = (page, table, column) =>
  page.locator(`#${table}`).evaluate((of, name) => {
    const at = [...of.tHead.rows[0].cells].findIndex((head) => head.dataset.col === name);
    return [...of.tBodies[0].rows].filter((row) => !row.hidden).map((row) => Number(row.cells[at].dataset.v));
  }, column);

/** Waits until the flame graph is there. */
export const drawn = async (page) => {
  await page.locator('#flame-view').scrollIntoViewIfNeeded();
  await page.waitForFunction(() => Number(document.querySelector('#flame-view canvas')?.dataset.frames) > 0);
};

/** Functions that are drawn. */
export const frames = (page) => page.locator('#flame-view canvas').evaluate((canvas) => Number(canvas.dataset.frames));

export const top = (page) => page.evaluate(() => scrollTo(0, 0));

/** Has the page look at once, as it does when it is looked at again, and waits until that is shown. */
export const refreshed = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        document.addEventListener('refreshed', resolve, { once: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }),
  );

/** Asks a path again and again until the answer is as wanted. */
export async function until(url, is) {
  const end = Date.now() + 300_000;
  for (;;) {
    const answer = await fetch(url);
    const document = answer.ok ? await answer.json() : null;
    if (document && is(document)) return document;
    if (Date.now() > end) throw new Error(`${url}: still ${JSON.stringify(document)?.slice(0, 400)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
