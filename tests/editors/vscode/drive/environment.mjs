// The ocils that is installed beside the chosen Python; and another model, chosen from the list.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.idle();
  await editor.command('ocils: Choose Model');
  const row = page.locator('.quick-input-list .monaco-list-row', { hasText: 'comes with ocils' });
  await row.first().waitFor();
  await editor.shot('models');
  await page.locator('.quick-input-widget input').fill(process.env.MODEL);
  await page.keyboard.press('Enter');
  const asked = page.locator('.monaco-dialog-box', { hasText: `Fetch ${process.env.MODEL}?` });
  await asked.first().waitFor();
  await editor.shot('fetch');
  say('nothing is fetched without a yes');
  await asked.locator('.monaco-button', { hasText: 'Fetch and Use' }).click();
  const failed = editor.toast(process.env.MODEL);
  await failed.first().waitFor();
  await editor.shot('fetching');
  await until('the end of it', async () => (await editor.toast('Fetching').count()) === 0);
  await until('the model in the status', async () => {
    await page.mouse.move(250, 20);
    await editor.status().hover();
    const hover = page.locator('.monaco-hover', { hasText: 'Model ocils-tiny' });
    return hover.first().waitFor({ timeout: 4000 }).then(() => true, () => false);
  });
  await editor.shot('model-chosen');
  say('it could not be fetched here: it is said why, and the one that is here stays');
});
