// What the user can mend: said once, with buttons that help.
import * as vscode from 'vscode';

export interface Remedy {
  title: string;
  command: string;
  argument?: unknown;
}

export class Problem extends Error {
  constructor(
    message: string,
    readonly remedies: readonly Remedy[] = [],
  ) {
    super(message);
  }
}

export const Remedies = {
  restart: { title: 'Try Again', command: 'ocils.restart' },
  log: { title: 'Show Log', command: 'ocils.showLog' },
  settings: (name: string): Remedy => ({
    title: 'Open Setting',
    // In a remote window a machine's settings stand on a page of their own.
    command: vscode.env.remoteName
      ? 'workbench.action.openRemoteSettings'
      : 'workbench.action.openSettings',
    argument: { query: `@id:${name}` },
  }),
} as const;

/** In Restricted Mode nothing is started. */
export function untrusted(): Problem {
  return new Problem('ocils runs tests, and tests are code: trust this workspace to use it.', [
    { title: 'Manage Trust', command: 'workbench.trust.manage' },
  ]);
}

/** Show a problem; its buttons run their commands. Returns at once. */
export function tell(problem: Problem): void {
  const titles = problem.remedies.map((each) => each.title);
  void vscode.window.showErrorMessage(problem.message, ...titles).then((chosen) => {
    const remedy = problem.remedies.find((each) => each.title === chosen);
    if (remedy) void vscode.commands.executeCommand(remedy.command, remedy.argument);
  });
}

/** A message of the server's, as a notification shows it: plain, and not begun in mid-sentence. */
export function sentence(text: string): string {
  const plain = text.replaceAll('`', '');
  return text.startsWith('`') ? plain : plain.charAt(0).toUpperCase() + plain.slice(1);
}
