// The first start: one short word, and the way to the walkthrough.
import * as vscode from 'vscode';

const SEEN = 'ocils.welcomed';

export async function openWalkthrough(context: vscode.ExtensionContext): Promise<void> {
  const walkthrough = `${context.extension.id}#start`;
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', walkthrough, false);
}

/** Greet once. A file that is being read is not covered up: then a message has to do. */
export async function welcome(context: vscode.ExtensionContext): Promise<void> {
  if (context.globalState.get(SEEN)) return;
  await context.globalState.update(SEEN, true);
  if (vscode.window.tabGroups.all.every((group) => group.tabs.length === 0)) {
    await openWalkthrough(context);
    return;
  }
  const how = 'Show Me How';
  const chosen = await vscode.window.showInformationMessage(
    'ocils makes failing tests pass: place the cursor in a function and press Ctrl+. to refine it.',
    how,
  );
  if (chosen === how) await openWalkthrough(context);
}
