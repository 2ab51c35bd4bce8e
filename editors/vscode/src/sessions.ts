// The Sessions view: each search, its attempts, their diffs and verdicts.
import * as vscode from 'vscode';
import {
  type Attempt,
  Command,
  type SessionEvent,
  type SessionInfo,
  type Verdict,
} from './protocol';
import type { Server } from './server';
import { Texts } from './texts';

const SCHEME = 'ocils-attempt';

export class Session {
  attempts: TriedAttempt[] = [];
  /** Recorded ones are read when they are unfolded. */
  loaded = true;

  constructor(readonly info: SessionInfo) {}
}

export class TriedAttempt {
  constructor(
    readonly session: Session,
    readonly number: number,
    readonly attempt: Attempt,
  ) {}
}

type Node = Session | TriedAttempt;

export class Sessions implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly sessions = new Map<string, Session>();
  private readonly changed = new vscode.EventEmitter<Node | undefined>();
  private readonly texts = new Texts(SCHEME);
  private readonly view: vscode.TreeView<Node>;
  private readonly subscriptions: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly server: Server) {
    this.view = vscode.window.createTreeView<Node>('ocils.sessions', { treeDataProvider: this });
    const command = vscode.commands.registerCommand;
    this.subscriptions = [
      this.view,
      this.changed,
      this.texts,
      command('ocils.sessions.refresh', () => this.read()),
      command('ocils.sessions.showAttempt', (node: TriedAttempt) => this.showAttempt(node)),
      command('ocils.sessions.feedback', (node: Session) => this.feedback(node)),
    ];
    server.on<SessionEvent>('ocils/session', (event) => this.hear(event));
    server.onLife((life) => {
      if (life === 'running') void this.read();
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of this.subscriptions) each.dispose();
  }

  /** Show a session's attempts, with its best one chosen. */
  async show(id: string): Promise<void> {
    const session = this.sessions.get(id);
    if (!session) {
      await vscode.commands.executeCommand('ocils.sessions.focus');
      return;
    }
    await this.load(session);
    this.changed.fire(session);
    const green = session.attempts.find((each) => each.attempt.verdict?.outcome === 'passed');
    await this.view.reveal(green ?? session, { expand: true, focus: true, select: true });
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node instanceof TriedAttempt) return [];
    if (node) {
      await this.load(node);
      return node.attempts;
    }
    return [...this.sessions.values()].sort((a, b) => b.info.started - a.info.started);
  }

  getParent(node: Node): Node | undefined {
    return node instanceof TriedAttempt ? node.session : undefined;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return node instanceof Session ? sessionItem(node) : attemptItem(node);
  }

  private hear(event: SessionEvent): void {
    const known = this.sessions.get(event.session);
    const session = known ?? new Session(started(event));
    if (!known) this.sessions.set(event.session, session);
    if (event.kind === 'judged') {
      session.info.candidates += 1;
      session.info.turns = event.turn;
      if (session.loaded) {
        const attempt: Attempt = { ...event, verdict: event.verdict ?? null };
        session.attempts.push(new TriedAttempt(session, session.attempts.length + 1, attempt));
      }
    } else if (event.kind === 'ended') {
      session.info.outcome = event.outcome ?? '';
      session.info.best = event.message;
    }
    // Some dozens of candidates are judged in a second; nobody reads that fast.
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.changed.fire(undefined);
    }, 250);
  }

  private async read(): Promise<void> {
    const answer = await this.server.request<{ sessions: SessionInfo[] }>('ocils/sessions', {
      count: 50,
    });
    for (const info of answer?.sessions ?? []) {
      if (this.sessions.has(info.session)) continue;
      const session = new Session(info);
      session.loaded = false;
      this.sessions.set(info.session, session);
    }
    this.changed.fire(undefined);
  }

  private async load(session: Session): Promise<void> {
    if (session.loaded) return;
    const answer = await this.server.request<{ attempts: Attempt[] }>('ocils/attempts', {
      session: session.info.session,
    });
    if (!answer) return;
    session.loaded = true;
    session.attempts = answer.attempts.map((each, at) => new TriedAttempt(session, at + 1, each));
  }

  private async showAttempt({ session, number, attempt }: TriedAttempt): Promise<void> {
    const heading = [
      `Attempt ${number} at ${session.info.target}: ${attempt.note || attempt.strategy}`,
      `Verdict: ${said(attempt.verdict)}`,
      ...attempt.failing.map((each) => `Still red: ${each}`),
      ...(attempt.verdict?.message ? ['', attempt.verdict.message] : []),
      '',
      attempt.diff || 'No difference was kept.',
    ];
    const path = `/${session.info.session}/${session.info.target} attempt ${number}.diff`;
    const uri = this.texts.put(path, heading.join('\n'));
    await vscode.window.showTextDocument(uri, { preview: true, preserveFocus: true });
  }

  private async feedback(session: Session): Promise<void> {
    const text = await vscode.window.showInputBox({
      title: `Go on with ${session.info.target}`,
      prompt: 'A hint for the model, in your words.',
      placeHolder: 'for example: the limit itself counts too',
    });
    if (!text?.trim()) return;
    await this.server.command(Command.feedback, {
      session: session.info.session,
      text: text.trim(),
    });
  }
}

function started(event: SessionEvent): SessionInfo {
  return {
    session: event.session,
    uri: event.uri,
    target: event.target,
    task: '',
    model: '',
    turns: 0,
    candidates: 0,
    outcome: '',
    best: '',
    started: Date.now() / 1000,
  };
}

function sessionItem(session: Session): vscode.TreeItem {
  const { target, outcome, candidates, best, started: at, uri } = session.info;
  const item = new vscode.TreeItem(target, vscode.TreeItemCollapsibleState.Collapsed);
  const attempts = candidates === 1 ? '1 attempt' : `${candidates} attempts`;
  const when = at ? `, ${ago(Date.now() / 1000 - at)}` : '';
  item.id = session.info.session;
  item.description = `${(outcome || 'searching').replace('_', ' ')}, ${attempts}${when}`;
  item.iconPath = new vscode.ThemeIcon(...sessionIcon(outcome));
  item.tooltip = [vscode.Uri.parse(uri).fsPath, best].filter(Boolean).join('\n');
  item.contextValue = 'session';
  return item;
}

function attemptItem(node: TriedAttempt): vscode.TreeItem {
  const { attempt, number } = node;
  const item = new vscode.TreeItem(`${number}  ${attempt.note || attempt.strategy}`);
  item.description = said(attempt.verdict);
  item.iconPath = new vscode.ThemeIcon(...attemptIcon(attempt.verdict));
  item.tooltip = new vscode.MarkdownString().appendCodeblock(attempt.diff, 'diff');
  item.contextValue = 'attempt';
  item.command = {
    command: 'ocils.sessions.showAttempt',
    title: 'Show Attempt',
    arguments: [node],
  };
  return item;
}

function said(verdict: Verdict | null): string {
  if (!verdict) return 'not judged';
  switch (verdict.outcome) {
    case 'passed':
      return verdict.total === 1 ? 'the test passes' : `all ${verdict.total} tests pass`;
    case 'failed':
      return `${verdict.passed} of ${verdict.total} tests pass`;
    case 'broken':
      return 'the tests cannot be collected';
    case 'timedOut':
      return `stopped after ${verdict.seconds.toFixed(1)} s`;
    case 'killed':
      return 'killed';
    case 'unjudged':
      return 'not judged';
  }
}

function ago(seconds: number): string {
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

const PASSED = new vscode.ThemeColor('testing.iconPassed');
const FAILED = new vscode.ThemeColor('testing.iconFailed');

function sessionIcon(outcome: SessionInfo['outcome']): [string, vscode.ThemeColor?] {
  if (outcome === '') return ['loading~spin'];
  if (outcome === 'green' || outcome === 'already_green') return ['pass', PASSED];
  if (outcome === 'cancelled') return ['circle-slash'];
  return ['error', FAILED];
}

function attemptIcon(verdict: Verdict | null): [string, vscode.ThemeColor?] {
  if (verdict?.outcome === 'passed') return ['pass', PASSED];
  if (verdict?.outcome === 'failed') return ['error', FAILED];
  return ['warning'];
}
