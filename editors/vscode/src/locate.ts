// Which program is the server: a path, the bundled wheel, or the chosen interpreter's own ocils.
import * as fs from 'node:fs/promises';
import type { Bundled } from './bundled';
import { Problem, Remedies } from './problem';
import { expandHome, findPython, output } from './python';
import * as settings from './settings';

export interface Program {
  command: string;
  args: string[];
  /** For the user: where it came from. */
  origin: string;
}

/** Throws a Problem that says why there is no server. */
export async function locate(bundled: Bundled): Promise<Program> {
  const named = settings.text('path');
  if (named) return fromPath(expandHome(named));
  const python = await findPython();
  if (settings.text('importStrategy') === 'fromEnvironment') {
    // -P keeps the folder it is started in off the import path.
    const version = await output(python.program, ['-P', '-m', 'ocils', '--version']);
    if (version) {
      return {
        command: python.program,
        args: ['-P', '-m', 'ocils', 'serve'],
        origin: `${version} beside ${python.program}`,
      };
    }
  }
  return {
    command: await bundled.python(python),
    args: ['-I', '-m', 'ocils', 'serve'],
    origin: `bundled, on ${python.program}`,
  };
}

async function fromPath(program: string): Promise<Program> {
  const runnable = await fs.access(program, fs.constants.X_OK).then(
    () => true,
    () => false,
  );
  if (program.includes('/') && !runnable) {
    throw new Problem(`The setting ocils.path names "${program}", which cannot be run.`, [
      Remedies.settings('ocils.path'),
    ]);
  }
  return { command: program, args: ['serve'], origin: program };
}
