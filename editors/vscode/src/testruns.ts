// Runs of the Testing view: what the server reports of a run becomes that run's states.
import * as vscode from 'vscode';
import { place } from './places';
import type { TestOutput, TestsEnded, TestState } from './protocol';
import type { Server } from './server';

export interface Items {
  find(id: string): vscode.TestItem | undefined;
  mark(item: vscode.TestItem, red: boolean): void;
}

interface Shown {
  run: vscode.TestRun;
  finish: () => void;
}

export class TestRuns {
  private readonly shown = new Map<string, Shown>();
  /** What came before the answer that names its run. */
  private waiting: (() => void)[] = [];
  private asking = 0;

  constructor(
    private readonly controller: vscode.TestController,
    private readonly server: Server,
    private readonly hush: (task: string) => void,
    private readonly items: Items,
  ) {
    server.on<TestState>('ocils/changeTestState', (state) => this.later(() => this.change(state)));
    server.on<TestOutput>('ocils/appendOutputToRunTest', (said) => this.later(() => this.append(said)));
    server.on<TestsEnded>('ocils/endRunTests', (ended) => this.later(() => this.end(ended)));
  }

  /** Start a run, and wait until it has ended. */
  async start(
    request: vscode.TestRunRequest,
    cancel: vscode.CancellationToken = new vscode.CancellationTokenSource().token,
  ): Promise<void> {
    const run = this.controller.createTestRun(request);
    for (const item of request.include ?? []) run.enqueued(item);
    this.asking += 1;
    const params: Record<string, string[]> = {};
    if (request.include) params['include'] = request.include.map((each) => each.id);
    if (request.exclude?.length) params['exclude'] = request.exclude.map((each) => each.id);
    let id: string | undefined;
    try {
      id = (await this.server.request<{ run: string } | null>('ocils/runTests', params))?.run;
    } finally {
      if (id) this.hush(id);
      else run.end();
    }
    const task = id;
    const ended = new Promise<void>((resolve) => {
      if (task) this.shown.set(task, { run, finish: resolve });
      else resolve();
    });
    this.asking -= 1;
    for (const each of this.waiting.splice(0)) each();
    const stop = () => {
      if (task) this.server.notify('ocils/abortRunTest', { run: task });
    };
    const listeners = [
      cancel.onCancellationRequested(stop),
      run.token.onCancellationRequested(stop),
    ];
    if (cancel.isCancellationRequested) stop();
    await ended;
    for (const each of listeners) each.dispose();
  }

  /** The server is gone, and with it what ran. */
  endAll(): void {
    for (const { run, finish } of this.shown.values()) {
      run.appendOutput('The server ended before this run did.\r\n');
      run.end();
      finish();
    }
    this.shown.clear();
    this.waiting = [];
  }

  private later(job: () => void): void {
    if (this.asking > 0) this.waiting.push(job);
    else job();
  }

  private change({ run: id, testId, state }: TestState): void {
    const item = this.items.find(testId);
    const run = this.shown.get(id)?.run;
    if (!item || !run) return;
    const took = state.durationMs ?? undefined;
    switch (state.tag) {
      case 'enqueued':
        run.enqueued(item);
        return;
      case 'started':
        run.started(item);
        return;
      case 'passed':
        run.passed(item, took);
        break;
      case 'skipped':
        run.skipped(item);
        break;
      case 'failed':
        run.failed(item, this.message(item, state), took);
        break;
      case 'errored':
        run.errored(item, this.message(item, state), took);
        break;
    }
    this.items.mark(item, state.tag === 'failed' || state.tag === 'errored');
  }

  private message(item: vscode.TestItem, state: TestState['state']): vscode.TestMessage {
    const message = new vscode.TestMessage(state.message ?? 'failed');
    message.contextValue = 'ocils.failed';
    const { location, frames } = state;
    if (location) message.location = place(location);
    else if (item.uri && item.range) message.location = new vscode.Location(item.uri, item.range);
    if (frames?.length) {
      message.stackTrace = frames.map((frame) => {
        const { uri, range: where } = place(frame);
        return new vscode.TestMessageStackFrame(frame.text, uri, where.start);
      });
    }
    return message;
  }

  private append({ run: id, testId, output }: TestOutput): void {
    const item = testId ? this.items.find(testId) : undefined;
    this.shown.get(id)?.run.appendOutput(output.replace(/\r?\n/g, '\r\n'), undefined, item);
  }

  private end({ run: id, message }: TestsEnded): void {
    const shown = this.shown.get(id);
    if (!shown) return;
    this.shown.delete(id);
    if (message) shown.run.appendOutput(`${message}\r\n`);
    shown.run.end();
    shown.finish();
  }
}
