// Restricted Mode: nothing is started, and it is said why; with trust it starts by itself.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.status().locator('.codicon-workspace-untrusted').waitFor();
  say('restricted');
  await editor.status().hover();
  await page.locator('.monaco-hover', { hasText: 'trust this workspace to use it' }).first().waitFor();
  await editor.shot('restricted');
  await page.keyboard.press('Escape');
  await editor.status().click();
  await editor.toast('trust').first().waitFor();
  await editor.shot('restricted-asked');
  say('asked, it says what to do');
  await editor.press(editor.toast('trust'), 'Manage Trust');
  await page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust/ }).first().click();
  await editor.idle();
  say('trusted: started by itself');
  await editor.openFile('shop/pricing.py');
  await editor.goTo(24, 5);
  await editor.lightBulb('Refine delivery until green');
  await editor.toast('Apply').first().waitFor();
  say('and works');
});
