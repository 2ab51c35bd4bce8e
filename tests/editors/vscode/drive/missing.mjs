// A server that is not there: it is said why, with a button that helps.
import { fromEnvironment, say, story } from './editor.mjs';

await story(fromEnvironment(), async (editor) => {
  await editor.ready();
  const told = editor.toast('cannot be run');
  await told.first().waitFor();
  say('it is said why');
  await editor.status().filter({ hasText: 'off' }).waitFor();
  await editor.press(told, 'Open Setting');
  await editor.page.locator('.settings-editor .setting-item', { hasText: 'ocils program' }).first().waitFor();
  say('the setting is shown');
});
