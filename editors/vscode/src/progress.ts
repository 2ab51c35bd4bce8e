// What runs, as notifications with a Cancel button.
//
// The client library shows a server's progress in the status bar, without a button; so we take it
// over. A notification stands from the moment of the keypress on, before the server has answered.
import * as vscode from 'vscode';
import type {
  ProgressToken,
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from 'vscode-languageclient/node';

type Params = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

export class Shown {
  private report: ((value: { message?: string; increment?: number }) => void) | undefined;
  private finish: (() => void) | undefined;
  private reached = 0;
  private message = 'starting';
  private over = false;
  cancelled = false;
  cancel: (() => void) | undefined;

  constructor(readonly title: string) {
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: title,
      cancellable: true,
    };
    void vscode.window.withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => {
        this.cancelled = true;
        this.cancel?.();
      });
      this.report = (value) => progress.report(value);
      this.report({ message: this.message });
      return new Promise<void>((resolve) => {
        if (this.over) resolve();
        else this.finish = resolve;
      });
    });
  }

  show(message: string | undefined, percentage: number | undefined): void {
    this.message = message ?? this.message;
    const increment = Math.max(0, (percentage ?? 0) - this.reached);
    this.reached += increment;
    this.report?.({ message: this.message, increment });
  }

  end(): void {
    this.over = true;
    this.finish?.();
  }
}

export class Progress {
  private readonly byTask = new Map<string, Shown>();
  private readonly early = new Set<Shown>();
  private readonly quiet = new Set<string>();
  private readonly waiting = new Map<string, () => void>();

  constructor(private readonly cancel: (task: string) => void) {}

  /** Titles of what is under way. */
  get titles(): string[] {
    return [...this.byTask.values(), ...this.early].map((each) => each.title);
  }

  /** Show at once that something was asked for; `bind` it to its task when the server answers. */
  begin(title: string): Shown {
    const shown = new Shown(title);
    this.early.add(shown);
    return shown;
  }

  bind(shown: Shown, task: string | undefined): void {
    this.early.delete(shown);
    if (!task || this.byTask.has(task)) {
      shown.end();
      return;
    }
    this.adopt(task, shown);
    if (shown.cancelled) this.cancel(task);
  }

  /** Wait until a task that is shown has ended, however. */
  async over(task: string): Promise<void> {
    if (this.byTask.has(task)) await new Promise<void>((resolve) => this.waiting.set(task, resolve));
  }

  /** This task is shown elsewhere: no notification for it. */
  hush(task: string): void {
    this.quiet.add(task);
    this.byTask.get(task)?.end();
    this.byTask.delete(task);
  }

  handle(token: ProgressToken, params: Params, next: (token: ProgressToken, params: Params) => void) {
    const task = String(token).replace(/^ocils-/, '');
    if (params.kind === 'end') {
      this.waiting.get(task)?.();
      this.waiting.delete(task);
      this.byTask.get(task)?.end();
      this.byTask.delete(task);
      if (!this.quiet.delete(task) && params.message === 'cancelled') {
        vscode.window.setStatusBarMessage('$(circle-slash) ocils: cancelled, nothing was changed', 6000);
      }
      next(token, params); // The library forgets the token then.
      return;
    }
    if (this.quiet.has(task)) return;
    if (params.kind === 'begin' && !this.byTask.has(task)) {
      // One that we have shown since the keypress, or one that something else has started.
      const waiting = [...this.early].find((each) => each.title === params.title);
      if (waiting) this.early.delete(waiting);
      this.adopt(task, waiting ?? new Shown(params.title));
    }
    this.byTask.get(task)?.show(params.message, params.percentage);
  }

  /** The server is gone, and with it everything that ran. */
  endAll(): void {
    for (const each of [...this.byTask.values(), ...this.early]) each.end();
    for (const each of this.waiting.values()) each();
    this.waiting.clear();
    this.byTask.clear();
    this.early.clear();
    this.quiet.clear();
  }

  private adopt(task: string, shown: Shown): void {
    shown.cancel = () => this.cancel(task);
    this.byTask.set(task, shown);
  }
}
