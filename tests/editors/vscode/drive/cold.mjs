// A newcomer, with nothing set: the first start, and the first green.
import { fromEnvironment, say, story } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await page.locator('.monaco-workbench .statusbar').waitFor();
  await editor.toast('Preparing ocils').first().waitFor();
  say('it says that it is being prepared');
  await editor.shot('preparing');
  await editor.idle();
  say('it is ready');
  await editor.openFile('shop/pricing.py');
  await editor.goTo(24, 5);
  await editor.lightBulb('Refine delivery until green');
  const proposal = editor.toast('Show Attempts');
  await proposal.first().waitFor();
  say('the proposal is seen');
  await editor.press(proposal, 'Apply');
  await editor.sees('cents >= FREE_DELIVERY_FROM');
});
