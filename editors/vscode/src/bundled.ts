// The wheel that came with this extension, in an environment of its own.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { Problem, Remedies, sentence } from './problem';
import type { Python } from './python';

const READY = 'ready';

export class Bundled {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** The environment's Python; it is made first where it is missing. Throws a Problem. */
  async python(python: Python): Promise<string> {
    const wheel = await this.wheel();
    const storage = this.context.globalStorageUri.fsPath;
    const release = `server-${(await digest(wheel)).slice(0, 8)}`;
    const folder = path.join(storage, `${release}-${short(python.program + python.version)}`);
    const program = path.join(folder, 'bin', 'python');
    if (await exists(path.join(folder, READY))) return program;
    await fs.mkdir(storage, { recursive: true });
    await this.make(python, wheel, folder);
    await this.forgetOthers(storage, release);
    return program;
  }

  async wheel(): Promise<string> {
    const folder = this.context.asAbsolutePath('bundled');
    const names = await fs.readdir(folder).catch(() => []);
    const name = names.find((each) => each.endsWith('.whl'));
    if (name) return path.join(folder, name);
    throw new Problem('This build of the extension has no ocils in it.', [
      Remedies.settings('ocils.path'),
    ]);
  }

  private async make(python: Python, wheel: string, folder: string): Promise<void> {
    // Made aside and moved into place when whole: two windows may be doing this at once.
    const aside = await fs.mkdtemp(`${folder}-`);
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: 'Preparing ocils for its first start',
      cancellable: true,
    };
    try {
      await vscode.window.withProgress(options, async (progress, cancel) => {
        const run = (program: string, ...args: string[]) => this.run(program, args, cancel);
        progress.report({ message: 'an environment of its own (1 of 2)' });
        await run(python.program, '-I', '-m', 'venv', aside);
        progress.report({ message: 'its libraries, once, about 70 MB (2 of 2)' });
        const pip = ['-I', '-m', 'pip', '--disable-pip-version-check', '--no-input', 'install'];
        await run(path.join(aside, 'bin', 'python'), ...pip, wheel);
      });
      await fs.writeFile(path.join(aside, READY), `${wheel}\n`);
      await fs.rename(aside, folder).catch(async (problem: unknown) => {
        if (!(await exists(path.join(folder, READY)))) throw problem;
      });
    } finally {
      await fs.rm(aside, { recursive: true, force: true });
    }
  }

  private run(
    program: string,
    args: readonly string[],
    cancel: vscode.CancellationToken,
  ): Promise<void> {
    this.log.info(`running ${program} ${args.join(' ')}`);
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd: this.context.globalStorageUri.fsPath });
      const listener = cancel.onCancellationRequested(() => child.kill());
      let last = '';
      const hear = (data: Buffer) => {
        for (const line of data.toString().split(/\r?\n/).filter(Boolean)) {
          this.log.info(line);
          if (/error/i.test(line)) last = line;
        }
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      const end = (problem?: string) => {
        listener.dispose();
        if (cancel.isCancellationRequested) {
          reject(new Problem('Preparing ocils was cancelled.', [Remedies.restart]));
        } else if (problem === undefined) resolve();
        else reject(new Problem(problem, [Remedies.restart, Remedies.log]));
      };
      child.on('error', (error) => end(`ocils could not be prepared: ${error.message}`));
      child.on('close', (code) =>
        end(code === 0 ? undefined : `ocils could not be prepared. ${sentence(last) || `${program} failed.`}`),
      );
    });
  }

  private async forgetOthers(storage: string, release: string): Promise<void> {
    for (const name of await fs.readdir(storage)) {
      if (name.startsWith('server-') && !name.startsWith(release)) {
        await fs.rm(path.join(storage, name), { recursive: true, force: true });
      }
    }
  }
}

async function digest(file: string): Promise<string> {
  return createHash('sha256')
    .update(await fs.readFile(file))
    .digest('hex');
}

function short(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 8);
}

function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}
