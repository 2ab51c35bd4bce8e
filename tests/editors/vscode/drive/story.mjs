// From a failing test to green, by hand: Testing view, Ctrl+., cancel, refine, diff, apply.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();
  const greeting = page.locator('.tab', { hasText: 'Welcome' });
  if (await greeting.count()) await greeting.first().click({ button: 'middle' });

  await editor.command('ocils: Doctor');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Show the log' }).waitFor();
  await editor.shot('doctor');
  await page.keyboard.press('Escape');

  await editor.command('Testing: Focus on Test Explorer View');
  const test = (name) => page.locator('.test-explorer .monaco-list-row', { hasText: name });
  await editor.expandTests();
  await test('test_delivery_is_free_at_the_limit').waitFor();
  say('the tests are listed');
  await editor.shot('tests');
  await editor.command('Test: Run All Tests');
  await test('test_delivery_is_free_at_the_limit').locator('.codicon-testing-failed-icon').waitFor();
  say('the failing test is seen in the Testing view');
  await editor.openFile('test_pricing.py');
  await editor.goTo(32, 5);
  await page.locator('.squiggly-error').first().waitFor();
  say('the failing test is seen in the editor');
  await editor.shot('failing');

  await editor.watchForFirstSign('Refining');
  await editor.lightBulb('Refine what test_delivery_is_free_at_the_limit tests');
  say(`from the keypress to the first sign: ${await editor.firstSign()} ms`);
  const running = editor.toast('Refining');
  await running.first().waitFor();
  await editor.press(running, 'Cancel');
  await until('the progress gone', async () => (await running.count()) === 0);
  await editor.idle();
  say('cancelled');
  await editor.openFile('shop/pricing.py');
  await editor.goTo(24, 5);
  await editor.sees('cents > FREE_DELIVERY_FROM');

  await editor.lightBulb('Refine delivery until green', { choose: false });
  await editor.shot('menu');
  await page.keyboard.press('Enter');
  await editor.toast('judging').first().waitFor();
  await editor.shot('refining');
  const proposal = editor.toast('Show Attempts');
  await page.locator('.tab.active', { hasText: 'delivery: proposed change' }).waitFor();
  await proposal.first().waitFor();
  await page.locator('.diff-editor .line-insert, .monaco-diff-editor .line-insert').first().waitFor();
  say('the proposal is seen');
  await editor.shot('proposal');
  await editor.press(proposal, 'Show Attempts');
  await page.locator('.monaco-list-row', { hasText: 'all 4 tests pass' }).first().waitFor();
  say('its attempts are seen');
  await editor.shot('attempts');
  await page.locator('.editor-actions a[aria-label^="Apply"]').click();
  await page.locator('.tab.active[data-resource-name="pricing.py"]').waitFor();
  await editor.sees('cents >= FREE_DELIVERY_FROM');
  say('applied');
  await test('test_delivery_is_free_at_the_limit').locator('.codicon-testing-passed-icon').waitFor();
  say('green in the Testing view');
  await until('the proposal gone', async () => (await page.locator('.tab', { hasText: 'proposed' }).count()) === 0);
  await editor.openFile('test_pricing.py');
  await until('no squiggle', async () => (await page.locator('.squiggly-error').count()) === 0);
  await editor.shot('green');
});
