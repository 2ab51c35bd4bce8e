// From a failing test to green, by hand: Testing view, Ctrl+., cancel, refine, diff, apply.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();

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

  await editor.lightBulb('Refine delivery until green');
  await running.first().waitFor();
  await editor.shot('refining');
  const proposal = editor.toast('Apply');
  await page.locator('.tab.active', { hasText: 'delivery: proposed change' }).waitFor();
  await proposal.first().waitFor();
  say('the proposal is seen');
  await page.locator('.diff-editor, .monaco-diff-editor').first().waitFor();
  await editor.shot('proposal');
  await editor.press(proposal, 'Apply');
  await page.locator('.tab.active', { hasText: 'pricing.py' }).waitFor();
  await editor.sees('cents >= FREE_DELIVERY_FROM');
  say('applied');
  await test('test_delivery_is_free_at_the_limit').locator('.codicon-testing-passed-icon').waitFor();
  say('green in the Testing view');
  await editor.openFile('test_pricing.py');
  await until('no squiggle', async () => (await page.locator('.squiggly-error').count()) === 0);
  await editor.shot('green');
});
