// A verified edit as a diff, with Apply, Reject with a reason, Show attempts.
import * as vscode from 'vscode';
import { sentence } from './problem';
import { Command, type Proposal, type ProposalEnded, type Started } from './protocol';
import type { Server } from './server';
import { closeTabs, Texts } from './texts';

const SCHEME = 'ocils-proposal';
const TYPING = 1500; // ms since the last keystroke in which no diff is put before the user's eyes

const APPLY = 'Apply';
const REJECT = 'Reject…';
const ATTEMPTS = 'Show Attempts';
const DIFF = 'Show Diff';

export class Proposals implements vscode.Disposable {
  private readonly texts = new Texts(SCHEME);
  private readonly open = new Map<string, Proposal>();
  private readonly applied = new vscode.EventEmitter<Proposal>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private typed = 0;

  readonly onApplied = this.applied.event;

  constructor(
    private readonly server: Server,
    private readonly showSession: (session: string) => Promise<void>,
  ) {
    server.on<Proposal>('ocils/proposal', (proposal) => void this.offer(proposal));
    server.on<ProposalEnded>('ocils/proposalEnded', (ended) => void this.end(ended));
    server.onLife((life) => {
      if (life === 'stopped') void this.dropAll();
    });
    this.subscriptions.push(
      this.texts,
      this.applied,
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        if (document.uri.scheme === 'file') this.typed = Date.now();
      }),
      vscode.commands.registerCommand('ocils.proposal.apply', (at) => this.apply(this.find(at))),
      // Of its own, or the button in the title would show the key, too, in two lines.
      vscode.commands.registerCommand('ocils.proposal.applyByKey', (at) => this.apply(this.find(at))),
      vscode.commands.registerCommand('ocils.proposal.reject', (at) => this.reject(this.find(at))),
      vscode.commands.registerCommand('ocils.proposal.attempts', (at) => this.attempts(this.find(at))),
    );
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
  }

  private async offer(proposal: Proposal): Promise<void> {
    this.remember(proposal);
    const typing = Date.now() - this.typed < TYPING;
    if (!typing) await this.show(proposal);
    await this.ask(proposal, typing);
  }

  private async ask(proposal: Proposal, withDiff: boolean): Promise<void> {
    const buttons = withDiff ? [DIFF, APPLY, REJECT] : [APPLY, REJECT, ATTEMPTS];
    const warnings = proposal.suspicious.map((each) => `Look twice: ${each}.`);
    const message = [...summary(proposal), ...warnings].join(' ');
    const say = warnings.length
      ? vscode.window.showWarningMessage
      : vscode.window.showInformationMessage;
    const chosen = await say(message, ...buttons);
    if (!this.open.has(proposal.proposal)) return; // Answered elsewhere meanwhile.
    if (chosen === APPLY) await this.apply(proposal);
    else if (chosen === REJECT) await this.reject(proposal);
    else if (chosen === ATTEMPTS) await this.attempts(proposal);
    else if (chosen === DIFF) await this.show(proposal);
  }

  private async show(proposal: Proposal): Promise<void> {
    const sides = proposal.files.map(({ uri, before, after }) => {
      const name = vscode.Uri.parse(uri).path.split('/').at(-1) ?? 'file';
      const left = this.texts.put(`${folderOf(proposal)}/before/${name}`, before);
      const right = this.texts.put(`${folderOf(proposal)}/after/${name}`, after);
      return [vscode.Uri.parse(uri), left, right] as const;
    });
    const first = sides[0];
    if (!first) return;
    const title = `${proposal.target}: proposed change`;
    if (sides.length === 1) {
      await vscode.commands.executeCommand('vscode.diff', first[1], first[2], title);
    } else {
      await vscode.commands.executeCommand('vscode.changes', title, sides);
    }
  }

  private async apply(proposal: Proposal | undefined): Promise<void> {
    if (!proposal) return;
    await this.server.command<Started>(Command.apply, { proposal: proposal.proposal });
  }

  private async reject(proposal: Proposal | undefined): Promise<void> {
    if (!proposal) return;
    const reason = await vscode.window.showInputBox({
      title: `Reject the change of ${proposal.target}`,
      prompt: 'What is wrong with it? The search goes on with your reason; empty drops the change.',
      placeHolder: 'for example: it must keep working for negative amounts',
    });
    if (reason === undefined) return; // Escape: it stays.
    const argument = { proposal: proposal.proposal, ...(reason.trim() && { reason: reason.trim() }) };
    await this.server.command<Started>(Command.reject, argument);
  }

  private async attempts(proposal: Proposal | undefined): Promise<void> {
    if (proposal) await this.showSession(proposal.session);
  }

  private async end({ proposal: id, outcome, message }: ProposalEnded): Promise<void> {
    const proposal = this.open.get(id);
    if (!proposal) return;
    if (outcome === 'kept') {
      const again = 'Try Again';
      const chosen = await vscode.window.showWarningMessage(sentence(message), again, REJECT);
      if (chosen === again) await this.apply(proposal);
      else if (chosen === REJECT) await this.reject(proposal);
      return;
    }
    await this.forget(proposal);
    if (outcome === 'applied') {
      await this.reveal(proposal);
      this.applied.fire(proposal);
      void vscode.window.showInformationMessage(sentence(message));
    } else if (outcome === 'doubtful') {
      void vscode.window.showErrorMessage(sentence(message));
    }
  }

  /** Bring the changed lines before the user's eyes. */
  private async reveal(proposal: Proposal): Promise<void> {
    const [file] = proposal.files;
    if (!file) return;
    const editor = await vscode.window.showTextDocument(vscode.Uri.parse(file.uri));
    const [before, after] = [file.before.split('\n'), file.after.split('\n')];
    const line = after.findIndex((each, index) => each !== before[index]);
    if (line < 0) return;
    const place = editor.document.validatePosition(new vscode.Position(line, 0));
    editor.revealRange(
      new vscode.Range(place, place),
      vscode.TextEditorRevealType.InCenterIfOutsideViewport,
    );
  }

  /** The proposal of a menu's document, or the only one there is. */
  private find(at: unknown): Proposal | undefined {
    const uri = at instanceof vscode.Uri ? at : vscode.window.activeTextEditor?.document.uri;
    if (uri?.scheme === SCHEME) return this.open.get(uri.path.split('/')[1] ?? '');
    return [...this.open.values()].at(-1);
  }

  private remember(proposal: Proposal): void {
    this.open.set(proposal.proposal, proposal);
    this.tellContext();
  }

  private async forget(proposal: Proposal): Promise<void> {
    this.open.delete(proposal.proposal);
    this.tellContext();
    await closeTabs(SCHEME, folderOf(proposal));
    this.texts.forget(folderOf(proposal));
  }

  private async dropAll(): Promise<void> {
    for (const each of [...this.open.values()]) await this.forget(each);
  }

  private tellContext(): void {
    void vscode.commands.executeCommand('setContext', 'ocils.hasProposal', this.open.size > 0);
  }
}

/** What the change does, in whole sentences. */
function summary({ target, note, mended, flaky, rivals, unexecuted }: Proposal): string[] {
  const tests = mended.length === 1 ? 'its failing test passes' : `its ${mended.length} failing tests pass`;
  const said = [`${target}: ${note || 'changed'}. With that ${tests}, confirmed afresh.`];
  if (rivals.length) said.push('Other changes pass too, so read it.');
  if (unexecuted.length) said.push('Some of its lines are run by no test.');
  if (flaky.length) said.push(`Set apart as flaky: ${flaky.join(', ')}.`);
  return said;
}

function folderOf(proposal: Proposal): string {
  return `/${proposal.proposal}`;
}
