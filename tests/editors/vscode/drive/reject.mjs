// Refine from the Testing view, say no with a reason, then say no for good; nothing is changed.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();
  await editor.command('Testing: Focus on Test Explorer View');
  await editor.expandTests();
  const failing = page.locator('.test-explorer .monaco-list-row', {
    hasText: 'test_delivery_is_free_at_the_limit',
  });
  await editor.command('Test: Run All Tests');
  await failing.locator('.codicon-testing-failed-icon').waitFor();
  await failing.hover();
  await failing.locator('a[aria-label^="Refine until Green"]').click();
  say('refined from the Testing view');

  const proposal = editor.toast('Show Attempts');
  const tab = page.locator('.tab', { hasText: 'delivery: proposed change' });
  const reject = async (reason) => {
    await proposal.first().waitFor();
    await tab.first().waitFor();
    await editor.press(proposal, 'Reject');
    const box = page.locator('.quick-input-widget input');
    await box.fill(reason);
    await page.keyboard.press('Enter');
    await until('the proposal gone', async () => (await tab.count()) === 0);
  };
  await reject('it must be free at the limit for members only');
  say('rejected with a reason');
  await editor.toast('Refining').first().waitFor();
  say('the search goes on');
  await editor.command('ocils: Cancel What Is Running');
  await editor.idle();
  await editor.openFile('shop/pricing.py');
  await editor.goTo(24, 5);
  await editor.sees('cents > FREE_DELIVERY_FROM');
  await editor.lightBulb('Refine delivery until green');
  await reject('');
  await editor.openFile('shop/pricing.py');
  await editor.sees('cents > FREE_DELIVERY_FROM');
  say('rejected for good, nothing was changed');

  await editor.command('ocils: Choose Model');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'ocils-tiny' }).first().waitFor();
  await page.keyboard.press('Escape');
  say('the models are listed');
});
