// A real VS Code in a real browser, as somebody's hands and eyes. Waits for what is to be seen, never
// for a time: the machine may be busy with other things.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const { chromium } = createRequire(`${process.env.TOOLS}/`)('playwright-core');

const PATIENCE = Number(process.env.PATIENCE ?? 240_000);

export async function openEditor({ port, folder, payload, size, shots }) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--disable-lcd-text', '--disable-font-subpixel-positioning'],
  });
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const query = payload ? `&payload=${encodeURIComponent(JSON.stringify(payload))}` : '';
  const editor = new Editor(browser, page, shots);
  const go = () => page.goto(`http://127.0.0.1:${port}/?folder=${folder}${query}`);
  return { editor, page, browser, go };
}

export class Editor {
  constructor(browser, page, shots) {
    this.browser = browser;
    this.page = page;
    this.shots = shots;
  }

  async close() {
    await this.browser.close();
  }

  async ready() {
    await this.page.waitForSelector('.monaco-workbench .statusbar');
    await this.status().waitFor();
  }

  /** Choose a row of the box behind a key; while the editor loads, keys are lost and boxes close. */
  async pick(key, text, row) {
    const box = this.page.locator('.quick-input-widget input');
    const line = this.page.locator('.quick-input-list .monaco-list-row .label-name', { hasText: row }).first();
    await until(`"${row}" in the box behind ${key}`, async () => {
      await this.page.keyboard.press(key);
      const there = await box
        .fill(text, { timeout: 3000 })
        .then(() => line.click({ timeout: 5000 }))
        .then(() => true, () => false);
      if (!there) await this.page.keyboard.press('Escape');
      return there;
    });
  }

  async openFile(name) {
    const [base] = name.split('/').slice(-1);
    const tab = this.page.locator(`.tab.active[data-resource-name="${base}"]`);
    // A page that opens by itself at the first start may come before it: then once more.
    await until(`${name} open`, async () => {
      await this.pick('Control+p', name, new RegExp(`^${base}`));
      return tab.waitFor({ timeout: 8000 }).then(() => true, () => false);
    });
    await this.page.waitForSelector('.editor-instance .view-lines .view-line');
  }

  async command(title) {
    await this.pick('F1', `>${title}`, title);
  }

  async goTo(line, column = 1) {
    await this.page.keyboard.press('Control+g');
    await this.page.locator('.quick-input-widget input').fill(`:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  /** Choose from the menu behind Ctrl+., with the keyboard. */
  async lightBulb(title, { choose = true } = {}) {
    const item = this.page.locator('.action-widget .monaco-list-row.action', { hasText: title }).first();
    // The menu is built from what is known when it opens: ask again until it has the line.
    await until(`"${title}" in the menu of Ctrl+.`, async () => {
      await this.page.keyboard.press('Control+.');
      const there = await item.waitFor({ timeout: 4000 }).then(() => true, () => false);
      if (!there) await this.page.keyboard.press('Escape');
      return there;
    });
    for (let at = 0; at < 12; at += 1) {
      if (/focused/.test(await item.getAttribute('class'))) break;
      await this.page.keyboard.press('ArrowDown');
    }
    if (choose) await this.page.keyboard.press('Enter');
  }

  /** Take the time from the next Enter until a notification or the status item says the words. */
  async watchForFirstSign(words) {
    await this.page.evaluate((words) => {
      window.firstSign = undefined;
      let pressed;
      const key = (event) => {
        if (event.key === 'Enter') pressed = event.timeStamp;
      };
      const look = () => {
        if (pressed === undefined) return;
        const places = document.querySelectorAll('.notifications-toasts, .statusbar');
        if (![...places].some((each) => each.textContent.includes(words))) return;
        // Seen is what the next frame shows.
        requestAnimationFrame(() => {
          window.firstSign ??= performance.now() - pressed;
        });
        observer.disconnect();
        window.removeEventListener('keydown', key, true);
      };
      const observer = new MutationObserver(look);
      window.addEventListener('keydown', key, true);
      observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    }, words);
  }

  async firstSign() {
    return Math.round(await until('the first sign', () => this.page.evaluate(() => window.firstSign)));
  }

  /** Unfold the tree of tests. */
  async expandTests() {
    const rows = this.page.locator('.test-explorer .monaco-list-row');
    await until('tests in the Testing view', async () => {
      const folded = this.page.locator('.test-explorer .monaco-tl-twistie.collapsed');
      if (await folded.count()) await folded.first().click();
      return (await rows.count()) > 2;
    });
  }

  text() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('.editor-group-container.active .editor-instance .view-line')]
        .map((each) => ({ top: parseFloat(each.style.top), text: each.textContent.replace(/\u00a0/g, ' ') }))
        .sort((a, b) => a.top - b.top)
        .map((each) => each.text)
        .join('\n'),
    );
  }

  async sees(text) {
    await until(`"${text}" in the editor`, async () => (await this.text()).includes(text));
  }

  toast(text) {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
  }

  async press(notification, button, options = {}) {
    const found = notification.first().locator('.monaco-button', { hasText: button }).first();
    // Toasts fold their buttons away until they are looked at.
    if (!(await found.isVisible())) await notification.first().hover(options);
    await found.click(options);
  }

  /** Wait until the status item says that nothing runs. */
  async idle() {
    await until('ocils idle', async () => ((await this.status().textContent()) ?? '').trim() === 'ocils');
  }

  status() {
    return this.page.locator('.statusbar-item[id*="ocils.status"]');
  }

  async clearNotifications() {
    await this.command('Notifications: Clear All Notifications');
  }

  async shot(name, options = {}) {
    if (!this.shots) return;
    fs.mkdirSync(this.shots, { recursive: true });
    await this.page.mouse.move(250, 20); // where nothing lights up under it
    const fading = this.page.locator('.notification-toast:not(.notification-fade-in-done)');
    await until('notifications at rest', async () => (await fading.count()) === 0);
    await this.page.evaluate(() => {
      const ending = document.getAnimations().filter((each) => each.effect?.getTiming().iterations !== Infinity);
      return Promise.all(ending.map((each) => each.finished.catch(() => {})));
    });
    await this.page.screenshot({ path: path.join(this.shots, `${name}.png`), ...options });
  }
}

export async function until(what, look, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`never seen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const begun = Date.now();
export function say(...words) {
  console.log(`[${String(Date.now() - begun).padStart(6)} ms]`, ...words);
}

/** Run a story; what went wrong is said with a picture of it. */
export async function story(options, tell) {
  const { editor, go, ...rest } = await openEditor(options);
  try {
    await go();
    await tell(editor, { go, ...rest });
    say('DONE');
  } catch (problem) {
    say('FAILED', problem.stack ?? problem);
    await editor.shot('failed').catch(() => {});
    process.exitCode = 1;
  } finally {
    await editor.close();
  }
}

export function fromEnvironment() {
  const { PORT, FOLDER, SHOTS, SIZE } = process.env;
  const [width, height] = (SIZE ?? '1280x800').split('x').map(Number);
  return { port: PORT, folder: FOLDER, shots: SHOTS, size: { width, height } };
}
