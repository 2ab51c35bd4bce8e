// Where the parts are put together.
import * as vscode from 'vscode';
import { Bundled } from './bundled';
import { Asking, registerCommands } from './commands';
import { doctor } from './doctor';
import { chooseModel } from './models';
import { Progress } from './progress';
import { Proposals } from './proposals';
import { Command } from './protocol';
import { Server } from './server';
import { Sessions } from './sessions';
import * as settings from './settings';
import { StatusItem } from './status';
import { Tests } from './tests';
import { openWalkthrough, welcome } from './welcome';

let server: Server | undefined;

/** What the extension's own tests look at. */
export interface Api {
  server: Server;
  started: Promise<void>;
}

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const log = vscode.window.createOutputChannel('ocils', { log: true });
  await vscode.workspace.fs.createDirectory(context.globalStorageUri);

  const progress = new Progress((task) => void mine.command(Command.cancel, { task }));
  const asking = new Asking(progress, () => status);
  const mine = new Server(
    new Bundled(context, log),
    log,
    {
      executeCommand: asking.middleware(),
      handleWorkDoneProgress: (token, params, next) => progress.handle(token, params, next),
      // The library would send every default; what is sent is decided in settings.ts.
      workspace: { didChangeConfiguration: async () => undefined },
      provideCodeLenses: (document, token, next) =>
        settings.flag('codeLens') ? next(document, token) : [],
    },
    context.globalStorageUri.fsPath,
  );
  server = mine;
  const status = new StatusItem(mine);
  const sessions = new Sessions(mine);
  const proposals = new Proposals(mine, (session) => sessions.show(session));
  const tests = new Tests(mine, (task) => progress.hush(task));

  const register = vscode.commands.registerCommand;
  context.subscriptions.push(
    log,
    status,
    sessions,
    proposals,
    tests,
    registerCommands(mine, asking),
    register('ocils.showLog', () => log.show()),
    register('ocils.doctor', () => doctor(mine)),
    register('ocils.chooseModel', () => chooseModel(mine, asking)),
    register('ocils.openWalkthrough', () => openWalkthrough(context)),
    proposals.onApplied(() => void tests.runFailed()),
    mine.onCrash(() => {
      const lost = progress.titles;
      progress.endAll();
      if (lost.length) void sayLost(lost);
    }),
    mine.onLife((life) => {
      if (life === 'stopped') progress.endAll();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void mine.start()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (!event.affectsConfiguration('ocils')) return;
      if (settings.NEEDS_RESTART.some((name) => event.affectsConfiguration(name))) {
        void mine.restart();
      } else {
        mine.notify('workspace/didChangeConfiguration', { settings: { ocils: settings.forServer() } });
      }
    }),
  );
  const started = mine.start();
  void started.then(() => welcome(context));
  return { server: mine, started };
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

async function sayLost(titles: readonly string[]): Promise<void> {
  const log = 'Show Log';
  const chosen = await vscode.window.showWarningMessage(
    `ocils ended unexpectedly in the middle of “${titles.join('”, “')}” and was started again. ` +
      'Nothing was changed: ask for it again.',
    log,
  );
  if (chosen === log) await vscode.commands.executeCommand('ocils.showLog');
}
