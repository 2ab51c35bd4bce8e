// Which Python the server runs on. Nothing of the workspace is run to find out.
import { execFile } from 'node:child_process';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { Problem, Remedies } from './problem';
import * as settings from './settings';

const OLDEST = [3, 11] as const;
const ON_PATH = ['python3.13', 'python3.12', 'python3.11', 'python3.14', 'python3', 'python'];

export interface Python {
  program: string;
  version: string;
}

/** The chosen interpreter, or the first that is new enough. Throws a Problem when there is none. */
export async function findPython(): Promise<Python> {
  const named = settings.text('interpreter');
  if (named) {
    const found = await probe(expandHome(named));
    if (found) return found;
    throw new Problem(`ocils cannot run on "${named}": it is no Python 3.11 or newer.`, [
      Remedies.settings('ocils.interpreter'),
    ]);
  }
  for (const each of [await activePython(), ...ON_PATH]) {
    const found = each ? await probe(each) : undefined;
    if (found) return found;
  }
  throw new Problem(
    'ocils needs Python 3.11 or newer for itself and found none. Your tests may use an older one.',
    [
      Remedies.settings('ocils.interpreter'),
      { title: 'Get Python', command: 'vscode.open', argument: 'https://www.python.org/downloads/' },
      Remedies.restart,
    ],
  );
}

export function expandHome(name: string): string {
  return name === '~' || name.startsWith('~/') ? path.join(os.homedir(), name.slice(1)) : name;
}

/** Run a program to its end; what it printed, or undefined when it failed or is not there. */
export function output(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Not in the workspace's folder: a module of the repository must never be imported here.
    execFile(program, args, { cwd: os.tmpdir(), timeout: 20_000 }, (error, stdout) =>
      resolve(error ? undefined : stdout.trim()),
    );
  });
}

async function probe(program: string): Promise<Python | undefined> {
  const code = 'import sys; print(sys.executable); print("%d.%d.%d" % sys.version_info[:3])';
  const [found, version] = ((await output(program, ['-I', '-c', code])) ?? '').split(/\r?\n/);
  if (!found || !version) return undefined;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return enough ? { program: found, version } : undefined;
}

interface PythonExtension {
  environments?: { getActiveEnvironmentPath?(): { path?: string } };
}

/** What is chosen in the Python extension, if that is there. */
async function activePython(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonExtension>('ms-python.python');
  if (!extension) return undefined;
  try {
    const api = await extension.activate();
    return api.environments?.getActiveEnvironmentPath?.().path;
  } catch {
    return undefined; // It failed; its users have heard of that from itself.
  }
}
