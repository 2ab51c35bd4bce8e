// The model picker: what is on this machine, and what can be fetched, with its progress.
import * as vscode from 'vscode';
import type { Asking } from './commands';
import { Command, type ModelInfo, type Started } from './protocol';
import type { Server } from './server';

interface Line extends vscode.QuickPickItem {
  model?: ModelInfo;
}

export async function chooseModel(server: Server, asking: Asking): Promise<void> {
  const answer = await list(server);
  if (!answer) return;
  const here = answer.models.filter((each) => each.bytes > 0);
  const elsewhere = answer.models.filter((each) => each.bytes === 0);
  const lines: Line[] = [
    ...here.map((each) => line(each, each.name === answer.current)),
    { label: 'To be fetched first', kind: vscode.QuickPickItemKind.Separator },
    ...elsewhere.map((each) => line(each, each.name === answer.current)),
  ];
  const chosen = await vscode.window.showQuickPick(lines, {
    title: 'ocils: Choose a Model',
    placeHolder: 'Used from the next run on. All of them run on this machine.',
    matchOnDescription: true,
    matchOnDetail: true,
  });
  const model = chosen?.model;
  if (!model) return;
  if (model.bytes === 0 && !(await fetch(model, server, asking))) return;
  if (model.name === answer.current) return;
  const settings = vscode.workspace.getConfiguration('ocils');
  await settings.update('model.name', model.name, vscode.ConfigurationTarget.Global);
}

function list(server: Server): Promise<{ current: string; models: ModelInfo[] } | undefined> {
  return server.request('ocils/models');
}

/** Fetching is never done without a yes; whether the model is there afterwards. */
async function fetch(model: ModelInfo, server: Server, asking: Asking): Promise<boolean> {
  const yes = 'Fetch and Use';
  const detail = [
    `${facts(model)}. It is fetched from the model hub once; after that it needs no network.`,
    'What came before a cancel is kept, and gone on from.',
  ];
  const options = { modal: true, detail: detail.join(' ') };
  const answer = await vscode.window.showInformationMessage(`Fetch ${model.name}?`, options, yes);
  if (answer !== yes) return false;
  const started = await asking.ask(Command.pullModel, undefined, model.name, () =>
    server.command<Started>(Command.pullModel, { name: model.name }),
  );
  if (!started) return false;
  await asking.over(started);
  // What went wrong the server has said; a model that is not there must not be chosen.
  const now = await list(server);
  return now?.models.some((each) => each.name === model.name && each.bytes > 0) ?? false;
}

function line(model: ModelInfo, current: boolean): Line {
  const icon = current ? 'check' : model.bytes ? 'beaker' : 'cloud-download';
  return {
    model,
    label: `$(${icon}) ${model.name}`,
    description: facts(model),
    detail: [model.bundled && model.bytes ? 'comes with ocils' : '', model.strategies.join(', ')]
      .filter(Boolean)
      .join('; '),
  };
}

function facts({ bytes, parameters, licence }: ModelInfo): string {
  const weight = bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
  const count =
    parameters >= 1e9
      ? `${(parameters / 1e9).toFixed(1)} billion parameters`
      : `${Math.round(parameters / 1e6)} million parameters`;
  return [parameters ? count : '', bytes ? weight : '', licence].filter(Boolean).join(' · ');
}
