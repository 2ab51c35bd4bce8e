// The status item: what ocils is doing, and the way to the doctor.
import * as vscode from 'vscode';
import type { Status } from './protocol';
import type { Server } from './server';

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'ocils.status',
    vscode.StatusBarAlignment.Right,
    90,
  );
  private status: Status | undefined;
  private asked: string | undefined;

  constructor(private readonly server: Server) {
    this.item.name = 'ocils';
    this.item.command = 'ocils.doctor';
    server.on<Status>('ocils/status', (status) => {
      this.status = status;
      this.asked = undefined;
      this.draw();
    });
    server.onLife(() => {
      this.status = undefined;
      this.asked = undefined;
      this.draw();
    });
    this.draw();
    this.item.show();
  }

  /** Show at once that something was asked for; the server's next status takes over. */
  busy(title: string | undefined): void {
    this.asked = title;
    this.draw();
  }

  dispose(): void {
    this.item.dispose();
  }

  private draw(): void {
    const { item, status } = this;
    const model = status?.modelState;
    const running = status?.running.map((each) => each.target) ?? [];
    if (this.asked !== undefined) running.push(this.asked);
    item.backgroundColor = undefined;
    if (!vscode.workspace.isTrusted) {
      item.text = '$(workspace-untrusted) ocils';
    } else if (this.server.life === 'starting' || status?.state === 'starting') {
      item.text = '$(loading~spin) ocils: starting';
    } else if (this.server.life === 'stopped' || status?.state === 'error') {
      item.text = this.server.life === 'stopped' ? '$(error) ocils: off' : '$(error) ocils';
      item.backgroundColor = new vscode.ThemeColor('statusBarItem.errorBackground');
    } else if (model?.kind === 'downloading') {
      item.text = `$(cloud-download) ocils: ${Math.round(model.fraction * 100)} %`;
    } else if (model?.kind === 'loading' && running.length === 0) {
      item.text = '$(loading~spin) ocils: loading the model';
    } else if (model?.kind === 'absent' || model?.kind === 'failed') {
      item.text = `$(warning) ocils: ${model.kind === 'absent' ? 'model not here' : 'model failed'}`;
      item.backgroundColor = new vscode.ThemeColor('statusBarItem.warningBackground');
    } else if (running.length > 0) {
      item.text = `$(loading~spin) ocils: ${running.length === 1 ? running[0] : `${running.length} runs`}`;
    } else {
      item.text = '$(beaker) ocils';
    }
    item.tooltip = this.tooltip();
  }

  private tooltip(): vscode.MarkdownString {
    const text = new vscode.MarkdownString('', true);
    text.isTrusted = {
      enabledCommands: ['ocils.doctor', 'ocils.showLog', 'ocils.cancelRuns', 'ocils.chooseModel'],
    };
    const line = (name: string, value: string) => {
      text.appendMarkdown(`**${name}** `).appendText(value).appendMarkdown('\n\n');
    };
    const { status } = this;
    if (this.server.why) text.appendText(this.server.why).appendMarkdown('\n\n');
    if (!vscode.workspace.isTrusted) return text;
    if (status) {
      line('ocils', status.version);
      const name = status.model.split('@')[0] ?? '';
      const state = status.modelState;
      line('Model', [name, state?.words].filter(Boolean).join(', ') || 'not loaded yet');
      if (state?.mend) line('What to do', state.mend);
      line('Tests run in', status.judge || 'not known before the first run');
      for (const each of status.running) line(each.target, each.message);
      if (status.problem) line('Problem', status.problem);
      if (status.mend) line('What to do', status.mend);
      if (status.running.length) text.appendMarkdown('[Cancel](command:ocils.cancelRuns) · ');
    }
    text.appendMarkdown(
      '[Doctor](command:ocils.doctor) · [Model](command:ocils.chooseModel) · [Log](command:ocils.showLog)',
    );
    return text;
  }
}
