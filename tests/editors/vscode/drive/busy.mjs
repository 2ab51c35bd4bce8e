// Two runs at once on one file, and a cancel in the middle of judging; the model and container are real.
import { fromEnvironment, say, story, until } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();

  // A search that cannot end, cancelled while candidates are being judged.
  await editor.goTo(9, 5);
  await editor.lightBulb('Refine subtotal until green');
  const judging = editor.toast('judging');
  await judging.first().waitFor();
  await editor.shot('judging');
  await editor.press(judging, 'Cancel');
  await until('its progress gone', async () => (await editor.toast('Refining').count()) === 0);
  await editor.idle();
  say('cancelled in the middle of judging');
  await editor.sees('total = 0');

  // One of two functions of a file, then the other while the first is under way.
  await editor.goTo(24, 5);
  await editor.lightBulb('Refine delivery until green');
  await editor.toast('Refining delivery').first().waitFor();
  await editor.goTo(17, 5);
  await editor.lightBulb('Refine discounted until green');
  await editor.toast('Refining discounted').first().waitFor();
  say('two runs at once');
  await editor.shot('two-runs');
  // Notifications move when another one comes, also under a press: whoever has not been heard is pressed again.
  const left = new Set(['delivery', 'discounted']);
  await until('both mended', async () => {
    for (const name of left) {
      const proposal = editor.toast(`${name}: `).filter({ hasText: 'Apply' });
      if (await editor.toast(`${name} mended`).count()) {
        left.delete(name);
        say(`${name} is mended`);
      } else if (await proposal.count()) {
        await editor.shot(`proposal-${name}`);
        await editor.press(proposal, 'Apply', { timeout: 5000 }).catch(() => {});
      }
    }
    return left.size === 0;
  });
  await editor.openFile('shop/pricing.py');
  await editor.sees('cents >= FREE_DELIVERY_FROM');
  await editor.sees('raise ValueError("a discount');
  say('both are applied, the second confirmed on the text with the first in it');
  await editor.shot('both');
});
