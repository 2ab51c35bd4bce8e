// Runs inside VS Code's extension host: what an extension sees, without a screen.
const assert = require('node:assert');
const fs = require('node:fs');
const vscode = require('vscode');

const PATIENCE = Number(process.env.PATIENCE ?? 240_000);

async function until(what, look) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`never seen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function open(name) {
  const folder = vscode.workspace.workspaceFolders[0].uri;
  const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder, name));
  await vscode.window.showTextDocument(document);
  return document;
}

const tests = {
  async 'it is activated by a Python project, and starts the server'(api) {
    await api.started;
    assert.equal(api.server.life, 'running');
  },

  async 'everything it contributes to the palette is registered'() {
    const { contributes } = vscode.extensions.getExtension('ocils.ocils').packageJSON;
    const known = new Set(await vscode.commands.getCommands(true));
    const missing = contributes.commands.map((each) => each.command).filter((each) => !known.has(each));
    assert.deepEqual(missing, []);
  },

  async 'lenses stand above the tests, and none where the setting is off'() {
    const document = await open('tests/test_pricing.py');
    const lenses = () => vscode.commands.executeCommand('vscode.executeCodeLensProvider', document.uri);
    const titles = await until('lenses', async () => {
      const found = (await lenses()).map((each) => each.command?.title);
      return found.length && found;
    });
    assert.deepEqual([...new Set(titles)], ['Run', 'Refine']);
    const settings = vscode.workspace.getConfiguration('ocils');
    await settings.update('codeLens', false, vscode.ConfigurationTarget.Global);
    assert.deepEqual(await lenses(), []);
    await settings.update('codeLens', undefined, vscode.ConfigurationTarget.Global);
  },

  async 'a failing test is a finding with the place it happened at'() {
    const document = await open('tests/test_pricing.py');
    await vscode.commands.executeCommand('testing.runAll');
    const [finding] = await until('a finding', () => {
      const found = vscode.languages.getDiagnostics(document.uri);
      return found.length && found;
    });
    assert.equal(finding.source, 'ocils');
    assert.match(document.lineAt(finding.range.start.line).text, /assert delivery\(5000\) == 0/);
    assert.match(finding.message, /490 == 0/);
  },

  async 'actions say what they do and cost nothing to list'() {
    const document = await open('shop/pricing.py');
    const range = new vscode.Range(23, 4, 23, 4);
    const titles = await until('actions', async () => {
      const found = await vscode.commands.executeCommand(
        'vscode.executeCodeActionProvider',
        document.uri,
        range,
      );
      const ours = found.map((each) => each.title).filter((each) => each.includes('delivery'));
      return ours.length && ours;
    });
    assert.ok(titles.includes('Refine delivery until green'), titles.join());
  },

  async 'a changed setting reaches the server without a restart'(api) {
    const before = api.server.pid;
    const settings = vscode.workspace.getConfiguration('ocils');
    await settings.update('refine.seconds', 7, vscode.ConfigurationTarget.Global);
    const answer = await api.server.request('ocils/models');
    assert.ok(answer.models.some((each) => each.name === answer.current));
    assert.equal(api.server.pid, before);
    await settings.update('refine.seconds', undefined, vscode.ConfigurationTarget.Global);
  },

  async 'the doctor answers'(api) {
    const { checks } = await api.server.request('ocils/doctor');
    assert.ok(checks.length >= 3);
    for (const each of checks) assert.equal(typeof each.ok, 'boolean');
  },

  async 'a restart is another process, and everything works again'(api) {
    const before = api.server.pid;
    await vscode.commands.executeCommand('ocils.restart');
    await until('running', () => api.server.life === 'running');
    assert.notEqual(api.server.pid, before);
    assert.ok((await api.server.request('ocils/models')).models.length);
  },

  async 'a server that is killed comes back by itself'(api) {
    const before = api.server.pid;
    process.kill(before, 'SIGKILL');
    await until('another one', () => api.server.life === 'running' && api.server.pid !== before);
    assert.ok((await api.server.request('ocils/models')).models.length);
  },
};

exports.run = async function run() {
  const lines = [];
  let failed = 0;
  try {
    const api = await vscode.extensions.getExtension('ocils.ocils').activate();
    for (const [name, test] of Object.entries(tests)) {
      try {
        fs.writeFileSync(`${process.env.HOST_RESULT}.now`, name);
        await test(api);
        lines.push(`ok      ${name}`);
      } catch (problem) {
        failed += 1;
        lines.push(`FAILED  ${name}: ${problem.stack ?? problem}`);
      }
    }
  } catch (problem) {
    failed += 1;
    lines.push(`FAILED  to begin: ${problem.stack ?? problem}`);
  }
  lines.push(`${failed} failed`);
  fs.writeFileSync(process.env.HOST_RESULT, `${lines.join('\n')}\n`);
  if (failed) throw new Error(`${failed} failed`);
};
