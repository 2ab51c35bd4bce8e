// Typing in each phase of a run: before, at the baseline, while candidates are judged, while one is
// confirmed, and while the proposal waits. What is typed stays, and the edit moves along.
import fs from 'node:fs';
import { fromEnvironment, say, story } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();
  await editor.goTo(24, 5);
  await editor.lightBulb('Refine delivery until green');
  const typed = [];
  const type = async (words) => {
    await editor.goTo(3, 1);
    await page.keyboard.type(`# ${words} 👩é\n`);
    typed.push(`# ${words} 👩é`);
    say(`typed: ${words}`);
  };
  // Judgements wait until their number is written. A candidate has two: the red test, then all.
  const letGo = (number) => fs.writeFileSync(process.env.GATE, String(number));
  await editor.toast('Refining delivery').first().waitFor();
  await type('at the start');
  letGo(1);
  await editor.toast('turn 1').first().waitFor();
  await type('after the baseline');
  letGo(3);
  await editor.toast('turn 2').first().waitFor();
  await type('while judging');
  letGo(5);
  await editor.toast('confirming').first().waitFor();
  await type('while confirming');
  letGo(99);
  const proposal = editor.toast('Apply');
  await proposal.first().waitFor();
  await editor.openFile('shop/pricing.py');
  await type('while it waits');
  await editor.sees('cents > FREE_DELIVERY_FROM');
  await editor.shot('waiting');
  await editor.press(proposal, 'Apply');
  await editor.toast('delivery mended').first().waitFor();
  await editor.openFile('shop/pricing.py');
  await editor.sees('cents >= FREE_DELIVERY_FROM');
  for (const each of typed) await editor.sees(each);
  say('applied beside all that was typed');

  await editor.command('ocils: Choose Model');
  const rows = page.locator('.quick-input-list .monaco-list-row');
  await rows.filter({ hasText: 'comes with ocils' }).first().waitFor();
  await editor.shot('models');
  await page.keyboard.press('Escape');
});
