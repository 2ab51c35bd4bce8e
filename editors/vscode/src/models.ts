// The model picker: what the server has, and how far it is where it is still being fetched.
import * as vscode from 'vscode';
import type { ModelInfo } from './protocol';
import type { Server } from './server';

interface Line extends vscode.QuickPickItem {
  model: string;
}

export async function chooseModel(server: Server): Promise<void> {
  const answer = await server.request<{ current: string; models: ModelInfo[] }>('ocils/models');
  if (!answer) return;
  const lines = answer.models.map((each) => line(each, each.name === answer.current));
  const chosen = await vscode.window.showQuickPick(lines, {
    title: 'ocils: Choose a Model',
    placeHolder: 'Used from the next run on. All of them run on this machine.',
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen || chosen.model === answer.current) return;
  const settings = vscode.workspace.getConfiguration('ocils');
  await settings.update('model.name', chosen.model, vscode.ConfigurationTarget.Global);
}

function line(model: ModelInfo, current: boolean): Line {
  const size = model.bytes ? `${Math.max(1, Math.round(model.bytes / 1e6))} MB` : '';
  const facts = [model.family, size, model.licence, model.state];
  return {
    model: model.name,
    label: `${current ? '$(check) ' : ''}${model.name}`,
    description: facts.filter(Boolean).join(' · '),
    detail: [model.bundled ? 'comes with ocils' : '', model.strategies.join(', ')]
      .filter(Boolean)
      .join('; '),
  };
}
