// What works here, and what to do about what does not, as a list.
import * as vscode from 'vscode';
import type { Check } from './protocol';
import type { Server } from './server';

interface Line extends vscode.QuickPickItem {
  command?: string;
  copy?: string;
}

export async function doctor(server: Server): Promise<void> {
  if (!vscode.workspace.isTrusted) {
    server.sayWhy();
    return;
  }
  const lines: Line[] = [];
  if (server.life === 'running') {
    const uri = vscode.window.activeTextEditor?.document.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
    const asked = server.request<{ checks: Check[] }>(
      'ocils/doctor',
      uri?.scheme === 'file' ? { uri: uri.toString() } : {},
    );
    const title = 'ocils: looking at what works here';
    const options = { location: vscode.ProgressLocation.Window, title };
    const answer = await vscode.window.withProgress(options, () => asked);
    lines.push(...(answer?.checks ?? []).map(line));
  } else {
    lines.push({
      label: '$(error) server',
      description: server.life === 'starting' ? 'is starting' : 'is not running',
      detail: server.why ?? '',
    });
  }
  lines.push(
    { label: '', kind: vscode.QuickPickItemKind.Separator },
    { label: '$(debug-restart) Restart the server', command: 'ocils.restart' },
    { label: '$(output) Show the log', command: 'ocils.showLog' },
    { label: '$(beaker) Choose a model', command: 'ocils.chooseModel' },
    { label: '$(book) Show me how', command: 'ocils.openWalkthrough' },
  );
  const placeHolder = 'What works here. Choosing a line that has advice copies it.';
  const chosen = await vscode.window.showQuickPick(lines, { title: 'ocils: Doctor', placeHolder });
  if (chosen?.command) await vscode.commands.executeCommand(chosen.command);
  else if (chosen?.copy) await vscode.env.clipboard.writeText(chosen.copy);
}

function line({ name, ok, detail, mend }: Check): Line {
  return {
    label: `$(${ok ? 'pass' : 'error'}) ${name}`,
    description: detail,
    ...(mend && { detail: mend, copy: mend }),
  };
}
