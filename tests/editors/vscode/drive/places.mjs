// A proposal that changes two places of a file: both are seen, both are applied, one undo takes both.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();
  await editor.goTo(24, 5);
  await editor.lightBulb('Refine delivery until green');
  const proposal = editor.toast('Apply');
  await proposal.first().waitFor();
  await until('two changes', async () => (await page.locator('.diff-editor .line-insert, .monaco-diff-editor .line-insert').count()) >= 2);
  await editor.shot('places');
  say('both places are seen');
  await editor.press(proposal, 'Apply');
  await editor.toast('delivery mended').first().waitFor();
  await editor.openFile('shop/pricing.py');
  await editor.sees('ge(cents, FREE_DELIVERY_FROM)');
  await editor.sees('from operator import ge');
  await page.keyboard.press('Control+z');
  await editor.sees('cents > FREE_DELIVERY_FROM');
  await until('the import gone', async () => !(await editor.text()).includes('from operator'));
  say('one undo takes both back');
});
