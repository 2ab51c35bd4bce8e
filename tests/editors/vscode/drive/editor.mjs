// A real VS Code in a real browser, as somebody's hands and eyes. Waits for what is to be seen, never
// for a time: the machine may be busy with other things.
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE = 120_000;

export async function openEditor({ port, folder, payload, size, shots }) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb'],
  });
  const context = await browser.newContext({ viewport: size ?? { width: 1280, height: 800 } });
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
    await this.page.waitForSelector('#ocils\\.status, [id="ocils.ocils.ocils.status"], .statusbar-item[id*="ocils.status"]');
  }

  /** Type into the box behind a key until it offers the row; keys are lost while the editor loads. */
  async pick(key, text, row) {
    const box = this.page.locator('.quick-input-widget input');
    const line = this.page.locator('.quick-input-list .monaco-list-row', { hasText: row }).first();
    await until(`"${row}" in the box behind ${key}`, async () => {
      await this.page.keyboard.press(key);
      const there = await box
        .fill(text, { timeout: 3000 })
        .then(() => line.waitFor({ timeout: 5000 }))
        .then(() => true, () => false);
      if (!there) await this.page.keyboard.press('Escape');
      return there;
    });
    await this.page.keyboard.press('Enter');
  }

  async openFile(name) {
    await this.pick('Control+p', name, name);
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
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

  /** Choose from the menu behind Ctrl+. */
  async lightBulb(title, { choose = true } = {}) {
    const item = this.page.locator('.action-widget .monaco-list-row.action', { hasText: title });
    // The menu is built from what is known when it opens: ask again until it has the line.
    await until(`"${title}" in the menu of Ctrl+.`, async () => {
      await this.page.keyboard.press('Control+.');
      const there = await item.first().waitFor({ timeout: 4000 }).then(() => true, () => false);
      if (!there) await this.page.keyboard.press('Escape');
      return there;
    });
    if (choose) await item.first().click();
    return item.first();
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

  notification(text) {
    return this.page.locator('.notifications-toasts .notification-list-item, .notifications-center .notification-list-item', { hasText: text });
  }

  async press(notification, button) {
    const found = notification.first().locator('.monaco-button', { hasText: button });
    // Toasts fold their buttons away until they are looked at.
    if (!(await found.first().isVisible())) await notification.first().hover();
    await found.first().click();
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
  const { PORT, FOLDER, SHOTS } = process.env;
  return { port: PORT, folder: FOLDER, shots: SHOTS };
}
