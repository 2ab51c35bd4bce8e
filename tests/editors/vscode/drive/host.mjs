// Opens a window whose extension host runs the tests in ../host, and waits for their result.
import fs from 'node:fs';
import { fromEnvironment, openEditor, until } from './editor.mjs';

const options = fromEnvironment();
const { EXTENSION, HOST_TESTS, HOST_RESULT } = process.env;
const remote = (path) => `vscode-remote://127.0.0.1:${options.port}${path}`;
const payload = [
  ['extensionDevelopmentPath', remote(EXTENSION)],
  ['extensionTestsPath', remote(HOST_TESTS)],
  ['skipWelcome', 'true'],
];
const { editor, go } = await openEditor({ ...options, payload });
try {
  await go();
  const result = await until('the result', () => fs.existsSync(HOST_RESULT) && fs.readFileSync(HOST_RESULT, 'utf8'), Number(process.env.PATIENCE ?? 700_000));
  process.stdout.write(result);
  if (!result.endsWith('\n0 failed\n')) process.exitCode = 1;
} catch (problem) {
  console.log(problem.stack);
  await editor.shot('failed');
  process.exitCode = 1;
} finally {
  await editor.close();
}
