// Names and shapes between the editor and the server, as editors/PROTOCOL.md has them.
import type { Position, Range } from 'vscode-languageclient/node';

export const Command = {
  refine: 'ocils.refineUntilGreen',
  generate: 'ocils.generate',
  runTests: 'ocils.runTests',
  apply: 'ocils.apply',
  reject: 'ocils.reject',
  feedback: 'ocils.feedback',
  cancel: 'ocils.cancel',
  pullModel: 'ocils.pullModel',
} as const;

export interface Started {
  task: string;
  target: string;
}

export interface Where {
  uri?: string;
  position?: Position;
  name?: string;
  test?: string;
  replace?: boolean;
}

export interface Running {
  task: string;
  target: string;
  uri: string;
  message: string;
}

export interface Status {
  state: 'starting' | 'idle' | 'busy' | 'error';
  version: string;
  model: string;
  judge: string;
  running: Running[];
  problem?: string | null;
  mend?: string | null;
  modelState?: ModelState | null;
}

export interface ModelState {
  kind: 'absent' | 'downloading' | 'loading' | 'ready' | 'unloaded' | 'failed';
  /** All of it in words: "downloading 40 %". */
  words: string;
  fraction: number;
  mend: string;
}

export interface Verdict {
  outcome: 'passed' | 'failed' | 'broken' | 'timedOut' | 'killed' | 'unjudged';
  passed: number;
  total: number;
  seconds: number;
  level: string;
  message: string;
}

export interface ChangedFile {
  uri: string;
  before: string;
  after: string;
}

export interface Proposal {
  proposal: string;
  session: string;
  target: string;
  uri: string;
  title: string;
  note: string;
  summary: string;
  files: ChangedFile[];
  verdict: Verdict;
  mended: string[];
  flaky: string[];
  unexecuted: number[];
  rivals: { note: string; why: string; files: ChangedFile[] }[];
  suspicious: string[];
  again: boolean;
}

export interface ProposalEnded {
  proposal: string;
  outcome: 'applied' | 'kept' | 'doubtful' | 'rejected' | 'replaced';
  message: string;
}

export type SessionOutcome =
  | ''
  | 'green'
  | 'already_green'
  | 'no_tests'
  | 'broken'
  | 'unjudged'
  | 'timeout'
  | 'exhausted'
  | 'cancelled'
  | 'failed';

export interface SessionEvent {
  kind: 'started' | 'judged' | 'refuted' | 'ended';
  session: string;
  uri: string;
  target: string;
  turn: number;
  strategy: string;
  candidate: string;
  note: string;
  verdict?: Verdict | null;
  failing: string[];
  diff: string;
  message: string;
  outcome?: SessionOutcome | null;
}

export interface SessionInfo {
  session: string;
  uri: string;
  target: string;
  task: string;
  model: string;
  turns: number;
  candidates: number;
  outcome: SessionOutcome;
  best: string;
  started: number;
}

export interface Attempt {
  turn: number;
  strategy: string;
  candidate: string;
  note: string;
  verdict: Verdict | null;
  failing: string[];
  diff: string;
  feedback?: string | null;
}

export interface Check {
  name: string;
  ok: boolean;
  detail: string;
  mend: string;
}

export interface ModelInfo {
  name: string;
  family: string;
  licence: string;
  bundled: boolean;
  strategies: string[];
  /** 0: its files are not here. */
  bytes: number;
  parameters: number;
}

export interface ServerTest {
  id: string;
  label: string;
  kind: 'package' | 'module' | 'test';
  canResolveChildren: boolean;
  parent?: string | null;
  textDocument?: { uri: string } | null;
  range?: Range | null;
}

export interface DiscoveredTests {
  tests: ServerTest[];
  scope: string[];
}

export interface TestState {
  run: string;
  testId: string;
  state: {
    tag: 'enqueued' | 'started' | 'passed' | 'failed' | 'skipped' | 'errored';
    message?: string | null;
    location?: { uri: string; range: Range } | null;
    frames?: { uri: string; range: Range; text: string }[] | null;
    durationMs?: number | null;
    flaky?: boolean | null;
  };
}

export interface TestOutput {
  run: string;
  testId?: string | null;
  output: string;
}

export interface TestsEnded {
  run: string;
  outcome: string;
  message: string;
}
