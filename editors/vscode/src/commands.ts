// The commands of the palette and the menus: unpack, ask the server, show that it was asked.
import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import type { Progress } from './progress';
import { Command, type Started, type Where } from './protocol';
import type { Server } from './server';
import type { StatusItem } from './status';

const TITLES: Readonly<Record<string, string>> = {
  [Command.refine]: 'Refining',
  [Command.generate]: 'Generating',
  [Command.runTests]: 'Running tests of',
  [Command.pullModel]: 'Fetching',
};

/** What every run goes through, whether a code action, a lens, a menu or the palette asked for it. */
export class Asking {
  constructor(
    private readonly progress: Progress,
    private readonly status: () => StatusItem,
  ) {}

  /** Show the run from the keypress on, then ask. */
  async ask(
    command: string,
    where: Where | undefined,
    name: string,
    send: () => Thenable<Started | null | undefined>,
  ): Promise<Started | null | undefined> {
    const doing = TITLES[command];
    if (!doing) return send();
    const title = `${doing} ${where?.name ?? name}`.trim();
    const shown = this.progress.begin(title);
    this.status().busy(title);
    let started: Started | null | undefined;
    try {
      started = await send();
    } finally {
      this.progress.bind(shown, started?.task);
      if (!started) this.status().busy(undefined);
    }
    return started;
  }

  /** Wait until what was asked for has ended. */
  over(started: Started): Promise<void> {
    return this.progress.over(started.task);
  }

  middleware(): NonNullable<Middleware['executeCommand']> {
    return (command, args, next) => {
      const where = args[0] as Where | undefined;
      return this.ask(command, where, '', () => next(command, args) as Thenable<Started | null>);
    };
  }
}

export function registerCommands(server: Server, asking: Asking): vscode.Disposable {
  const here = (command: string) => async () => {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.languageId !== 'python' || editor.document.uri.scheme !== 'file') {
      void vscode.window.showInformationMessage('Place the cursor in a Python function first.');
      return;
    }
    const { line, character } = editor.selection.active;
    const where: Where = { uri: editor.document.uri.toString(), position: { line, character } };
    const name = 'the function at the cursor';
    await asking.ask(command, where, name, () => server.command<Started>(command, where));
  };
  const register = vscode.commands.registerCommand;
  return vscode.Disposable.from(
    register('ocils.refine', here(Command.refine)),
    register('ocils.run', here(Command.runTests)),
    register('ocils.generateHere', here(Command.generate)),
    register('ocils.refineById', (test: string, label: string) =>
      asking.ask(Command.refine, undefined, `what ${label} tests`, () =>
        server.command<Started>(Command.refine, { test }),
      ),
    ),
    register('ocils.cancelRuns', () => server.command<number>(Command.cancel, {})),
    register('ocils.restart', () => server.restart()),
  );
}
