// What must not break: typing while a run is under way, and a server that is killed in the middle.
import { execFileSync } from 'node:child_process';
import { fromEnvironment, say, story, until } from './editor.mjs';

const options = fromEnvironment();
await story(options, async (editor) => {
  const { page } = editor;
  await editor.ready();
  await editor.openFile('shop/pricing.py');
  await editor.clearNotifications();

  // A search that cannot end: a test asks for what no small edit gives.
  await editor.goTo(9, 5);
  await editor.lightBulb('Refine subtotal until green');
  await editor.toast('judging').first().waitFor();
  killServer();
  say('the server was killed in the middle of a run');
  await editor.toast('ended unexpectedly').first().waitFor();
  say('it is said');
  await until('its progress gone', async () => (await editor.toast('judging').count()) === 0);
  await editor.idle();
  await editor.clearNotifications();

  // The new server works, and what is typed above the function during the run is kept.
  await editor.goTo(24, 5);
  await editor.lightBulb('Refine delivery until green');
  await editor.toast('Refining delivery').first().waitFor();
  await editor.goTo(3, 1);
  await page.keyboard.type('CURRENCY = "€𝄞"\n');
  say('typed during the run');
  const proposal = editor.toast('Apply');
  await proposal.first().waitFor();
  await editor.press(proposal, 'Apply');
  await editor.openFile('shop/pricing.py');
  await editor.sees('cents >= FREE_DELIVERY_FROM');
  await editor.sees('CURRENCY = "€𝄞"');
  say('applied beside what was typed');
});

function killServer() {
  // Only the one that this VS Code has started: it runs in the profile's folder.
  const pids = execFileSync('pgrep', ['-f', 'ocils serve'], { encoding: 'utf8' }).split('\n');
  const mine = pids.filter((pid) => pid && isOurs(pid));
  if (mine.length !== 1) throw new Error(`servers found: ${mine}`);
  process.kill(Number(mine[0]), 'SIGKILL');
}

function isOurs(pid) {
  const environment = execFileSync('cat', [`/proc/${pid}/environ`], { encoding: 'utf8' });
  return environment.includes(`XDG_STATE_HOME=${process.env.XDG_STATE_HOME}\0`);
}
