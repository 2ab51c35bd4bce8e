// The Testing view: the server's tests as VS Code's test items, run by the server's own judge.
import * as vscode from 'vscode';
import { range } from './places';
import type { DiscoveredTests, ServerTest } from './protocol';
import { TestRuns } from './testruns';
import type { Server } from './server';
import * as settings from './settings';

export class Tests implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController('ocils', 'ocils');
  private readonly items = new Map<string, vscode.TestItem>();
  private readonly failed = new Set<string>();
  private readonly runs: TestRuns;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly server: Server,
    hush: (task: string) => void,
  ) {
    this.runs = new TestRuns(this.controller, server, hush, {
      find: (id) => this.items.get(id),
      mark: (item, red) => this.mark(item, red),
    });
    this.controller.refreshHandler = () => this.discover();
    this.controller.createRunProfile(
      'Run in the sandbox',
      vscode.TestRunProfileKind.Run,
      (request, cancel) => this.runs.start(request, cancel),
      true,
    );
    server.on<DiscoveredTests>('ocils/discoveredTests', (found) => this.take(found));
    server.onLife((life) => {
      if (life === 'running') void this.discover();
      else this.runs.endAll();
    });
    this.subscriptions = [
      this.controller,
      vscode.commands.registerCommand('ocils.refineTest', (at) => this.refine(at)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('ocils.testExplorer')) void this.discover();
      }),
    ];
  }

  dispose(): void {
    this.runs.endAll();
    for (const each of this.subscriptions) each.dispose();
  }

  /** Run again what was red, so that what was mended is seen to be green. */
  async runFailed(): Promise<void> {
    const red = [...this.failed].flatMap((id) => this.items.get(id) ?? []);
    if (red.length) await this.runs.start(new vscode.TestRunRequest(red));
  }

  private async discover(): Promise<void> {
    if (!settings.flag('testExplorer')) {
      this.items.clear();
      this.controller.items.replace([]);
      return;
    }
    if (this.server.life !== 'running') return;
    const found = await this.server.request<DiscoveredTests>('ocils/discoverTests');
    if (found) this.take(found);
  }

  /** Everything below the scope is replaced by what was found. */
  private take({ tests, scope }: DiscoveredTests): void {
    if (!settings.flag('testExplorer')) return;
    const present = new Set(tests.map((each) => each.id));
    for (const id of scope) {
      const top = this.items.get(id);
      if (top) this.prune(top, present);
    }
    for (const each of tests) this.put(each);
  }

  private prune(item: vscode.TestItem, present: ReadonlySet<string>): void {
    item.children.forEach((child) => this.prune(child, present));
    if (present.has(item.id)) return;
    this.items.delete(item.id);
    this.failed.delete(item.id);
    (item.parent?.children ?? this.controller.items).delete(item.id);
  }

  private put(test: ServerTest): void {
    const uri = test.textDocument ? vscode.Uri.parse(test.textDocument.uri) : undefined;
    const known = this.items.get(test.id);
    const same = known?.uri?.toString() === uri?.toString();
    const item = known && same ? known : this.controller.createTestItem(test.id, test.label, uri);
    item.label = test.label;
    if (test.range) item.range = range(test.range);
    this.items.set(test.id, item);
    const parent = test.parent ? this.items.get(test.parent) : undefined;
    (parent?.children ?? this.controller.items).add(item);
  }

  private mark(item: vscode.TestItem, red: boolean): void {
    const known = this.failed.has(item.id);
    if (known === red) return;
    if (red) this.failed.add(item.id);
    else this.failed.delete(item.id);
    void vscode.commands.executeCommand('setContext', 'ocils.failedTests', [...this.failed]);
  }

  /** From the tree a test item comes; from a failure's message, that message and its item. */
  private async refine(at: vscode.TestItem | { test: vscode.TestItem }): Promise<void> {
    const item = 'test' in at ? at.test : at;
    await vscode.commands.executeCommand('ocils.refineById', item.id, item.label);
  }
}
