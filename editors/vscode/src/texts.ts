// Read-only documents that exist only in the editor: proposals, attempts.
import * as vscode from 'vscode';

export class Texts implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly contents = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registered: vscode.Disposable;
  readonly onDidChange = this.changed.event;

  constructor(private readonly scheme: string) {
    this.registered = vscode.workspace.registerTextDocumentContentProvider(scheme, this);
  }

  /** Keep a text under a path; its name's ending decides on the language. */
  put(path: string, content: string): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: this.scheme, path });
    this.contents.set(uri.path, content);
    this.changed.fire(uri);
    return uri;
  }

  forget(folder: string): void {
    for (const path of this.contents.keys()) {
      if (path.startsWith(`${folder}/`)) this.contents.delete(path);
    }
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.contents.get(uri.path) ?? '';
  }

  dispose(): void {
    this.registered.dispose();
    this.changed.dispose();
  }
}

/** Close the tabs whose document, or right-hand side, is under a folder of a scheme. */
export async function closeTabs(scheme: string, folder: string): Promise<void> {
  const here = (uri: vscode.Uri) => uri.scheme === scheme && uri.path.startsWith(`${folder}/`);
  const tabs = vscode.window.tabGroups.all
    .flatMap((group) => group.tabs)
    .filter(({ input }) => {
      if (input instanceof vscode.TabInputText) return here(input.uri);
      if (input instanceof vscode.TabInputTextDiff) return here(input.modified);
      return false;
    });
  await vscode.window.tabGroups.close(tabs, true);
}
