// The user's settings: what the server gets of them, and what stays here.
import * as vscode from 'vscode';

const FOR_SERVER = [
  'model.name',
  'model.threads',
  'model.idleSeconds',
  'model.keepLoaded',
  'model.device',
  'model.computeType',
  'sandbox.python',
  'sandbox.slots',
  'sandbox.memory',
  'sandbox.idleSeconds',
  'sandbox.runtime',
  'sandbox.image',
  'packages.install',
  'packages.allow',
  'refine.seconds',
  'refine.candidates',
  'refine.turns',
  'refine.tokens',
  'record',
  'editor.proposal',
];

/** A change of these needs another server process. */
export const NEEDS_RESTART = ['ocils.path', 'ocils.interpreter', 'ocils.importStrategy'];

export function section(scope?: vscode.Uri): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('ocils', scope);
}

export function text(name: 'path' | 'interpreter' | 'importStrategy'): string {
  return section().get<string>(name, '').trim();
}

export function flag(name: 'codeLens' | 'testExplorer'): boolean {
  return section().get<boolean>(name, true);
}

/** Only what the user has set: a default of ours must not overrule their settings.toml. */
export function forServer(): Record<string, unknown> {
  const chosen: Record<string, unknown> = {};
  const settings = section();
  for (const name of FOR_SERVER) {
    if (!isSet(settings.inspect(name))) continue;
    const [group, leaf] = name.split('.') as [string, string | undefined];
    if (leaf === undefined) chosen[group] = settings.get(name);
    else chosen[group] = { ...(chosen[group] as object | undefined), [leaf]: settings.get(name) };
  }
  return chosen;
}

function isSet(found: ReturnType<vscode.WorkspaceConfiguration['inspect']>): boolean {
  return (
    found?.globalValue !== undefined ||
    found?.workspaceValue !== undefined ||
    found?.workspaceFolderValue !== undefined
  );
}
