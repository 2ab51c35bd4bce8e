// The server's process: started, restarted, ended; and why it cannot be.
import { type ChildProcess, spawn } from 'node:child_process';
import * as vscode from 'vscode';
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  RevealOutputChannelOn,
  State,
} from 'vscode-languageclient/node';
import type { Bundled } from './bundled';
import { locate, type Program } from './locate';
import { Problem, Remedies, tell, untrusted } from './problem';
import * as settings from './settings';

const OFTEN = 4; // crashes within MINUTES after which we no longer start it again by ourselves
const MINUTES = 3;
const PATIENCE = 12_000; // ms a server has to end its containers before it is killed

export type Life = 'stopped' | 'starting' | 'running';

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private process: ChildProcess | undefined;
  private readonly handlers: [string, (params: unknown) => void][] = [];
  private readonly changed = new vscode.EventEmitter<Life>();
  private readonly crashed = new vscode.EventEmitter<void>();
  private crashes: number[] = [];
  private queue: Promise<void> = Promise.resolve();
  private problem: Problem | undefined;
  life: Life = 'stopped';

  readonly onLife = this.changed.event;
  /** It ended though nobody had asked it to; it is being started again. */
  readonly onCrash = this.crashed.event;

  constructor(
    private readonly bundled: Bundled,
    private readonly log: vscode.LogOutputChannel,
    private readonly middleware: Middleware,
    private readonly folder: string,
  ) {}

  /** Why there is no server, if there is none. */
  get why(): string | undefined {
    return vscode.workspace.isTrusted ? this.problem?.message : untrusted().message;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  start(): Promise<void> {
    return this.inTurn(() => this.startNow());
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopNow());
  }

  restart(): Promise<void> {
    if (!vscode.workspace.isTrusted) this.sayWhy();
    return this.inTurn(async () => {
      await this.stopNow();
      await this.startNow();
    });
  }

  dispose(): void {
    void this.stop();
    this.changed.dispose();
    this.crashed.dispose();
  }

  on<P>(method: string, handler: (params: P) => void): void {
    this.handlers.push([method, handler as (params: unknown) => void]);
    this.client?.onNotification(method, handler);
  }

  /** Ask the server; undefined when it is not running, of which the user is told. */
  async request<R>(method: string, params: object = {}): Promise<R | undefined> {
    if (this.client?.isRunning() !== true) {
      this.sayWhy();
      return undefined;
    }
    try {
      return await this.client.sendRequest<R>(method, params);
    } catch (error) {
      // What the user should hear of, the server has said itself; or it is gone, which is told elsewhere.
      this.log.warn(`${method}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  /** Have the server carry out a command. */
  command<R>(command: string, argument: object): Promise<R | null | undefined> {
    return this.request(ExecuteCommandRequest.method, { command, arguments: [argument] });
  }

  notify(method: string, params: object): void {
    if (this.client?.isRunning() === true) void this.client.sendNotification(method, params);
  }

  /** Tell the user why there is no server, with buttons that help. */
  sayWhy(): void {
    if (!vscode.workspace.isTrusted) tell(untrusted());
    else if (this.problem) tell(this.problem);
    else if (this.life === 'starting') void vscode.window.showInformationMessage('ocils is starting…');
    else tell(new Problem('ocils is not running.', [Remedies.restart, Remedies.log]));
  }

  /** One start or stop at a time, in the order in which they were asked for. */
  private inTurn(job: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(job, job);
    return this.queue;
  }

  private async startNow(): Promise<void> {
    if (this.client || !vscode.workspace.isTrusted) return;
    this.problem = undefined;
    this.become('starting');
    try {
      const program = await locate(this.bundled);
      this.log.info(`starting ${program.command} ${program.args.join(' ')} (${program.origin})`);
      const client = this.make(program);
      for (const [method, handler] of this.handlers) client.onNotification(method, handler);
      client.onDidChangeState(({ newState }) => this.follow(client, newState));
      this.client = client;
      await client.start();
    } catch (error) {
      this.client = undefined;
      this.become('stopped');
      this.problem = error instanceof Problem ? error : this.failure(error);
      this.log.error(this.problem.message);
      tell(this.problem);
    }
  }

  private async stopNow(): Promise<void> {
    const { client, process } = this;
    this.client = undefined;
    if (client?.isRunning() === true) {
      await client.stop(PATIENCE).catch((error: unknown) => this.log.warn(String(error)));
    }
    if (process && process.exitCode === null) process.kill();
    this.become('stopped');
  }

  private make(program: Program): LanguageClient {
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: 'file', language: 'python' }],
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware: this.middleware,
      initializationOptions: () => ({
        ocils: settings.forServer(),
        client: {
          proposalView: true,
          status: true,
          sessions: true,
          testExplorer: settings.flag('testExplorer'),
        },
      }),
      // What goes wrong at the start is said by us, with buttons.
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
    };
    return new LanguageClient('ocils', 'ocils', () => this.spawn(program), options);
  }

  private spawn(program: Program): Promise<ChildProcess> {
    // Not in the workspace's folder: a module of the repository must never be imported here.
    const child = spawn(program.command, program.args, { cwd: this.folder });
    this.process = child;
    return new Promise((resolve, reject) => {
      child.once('spawn', () => resolve(child));
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        this.log.info(`the server (process ${child.pid}) ended: ${signal ?? code}`);
      });
    });
  }

  private closed(): CloseHandlerResult {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < MINUTES * 60_000), now];
    this.crashed.fire();
    if (this.crashes.length < OFTEN) return { action: CloseAction.Restart, handled: true };
    this.crashes = [];
    this.client = undefined;
    this.problem = new Problem(`ocils ended ${OFTEN} times within ${MINUTES} minutes and stays off.`, [
      Remedies.restart,
      Remedies.log,
    ]);
    tell(this.problem);
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private follow(client: LanguageClient, state: State): void {
    if (client !== this.client && this.client) return;
    if (state === State.Running) this.become('running');
    else this.become(state === State.Starting ? 'starting' : 'stopped');
  }

  private become(life: Life): void {
    if (life === this.life) return;
    this.life = life;
    void vscode.commands.executeCommand('setContext', 'ocils.running', life === 'running');
    this.changed.fire(life);
  }

  private failure(error: unknown): Problem {
    const said = error instanceof Error ? error.message : String(error);
    return new Problem(`ocils could not be started: ${said}`, [Remedies.restart, Remedies.log]);
  }
}
