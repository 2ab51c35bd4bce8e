// The ocils that is installed beside the chosen Python; and another model, chosen from the list.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.idle();
  await editor.command('ocils: Choose Model');
  const row = page.locator('.quick-input-list .monaco-list-row', { hasText: process.env.MODEL });
  await row.first().waitFor();
  await editor.shot('models');
  await page.locator('.quick-input-widget input').fill(process.env.MODEL);
  await page.keyboard.press('Enter');
  await until('the model in the status', async () => {
    await page.mouse.move(250, 20);
    await editor.status().hover();
    const hover = page.locator('.monaco-hover', { hasText: `Model ${process.env.MODEL}` });
    return hover.first().waitFor({ timeout: 4000 }).then(() => true, () => false);
  });
  await editor.shot('model-chosen');
  say('another model is chosen, and the status says so');
});
