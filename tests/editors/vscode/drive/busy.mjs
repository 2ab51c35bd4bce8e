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
  // What is offered is pressed until it is heard: notifications move when another one comes, also under a press.
  // The text tells the end, since the word of success is a notification that goes by itself.
  const offered = new Set();
  await until('both offered and taken', async () => {
    let open = 0;
    for (const name of ['delivery', 'discounted']) {
      const offer = editor.toast(`${name}: `).filter({ has: page.locator('.monaco-button', { hasText: /^Apply$/ }) });
      if ((await offer.count()) === 0) continue;
      open += 1;
      if (!offered.has(name)) await editor.shot(`proposal-${name}`);
      offered.add(name);
      const heard = await editor.press(offer, 'Apply', { timeout: 5000 }).then(() => true, () => false);
      if (heard) say(`${name} is taken`);
    }
    return offered.size === 2 && open === 0;
  });
  await editor.openFile('shop/pricing.py');
  await editor.sees('cents >= FREE_DELIVERY_FROM');
  await editor.sees('raise ValueError("a discount');
  say('both are applied, the second confirmed on the text with the first in it');
  await editor.shot('both');
});
