// The server's places as the editor's.
import * as vscode from 'vscode';

export interface PlainRange {
  start: { line: number; character: number };
  end: { line: number; character: number };
}

export function range({ start, end }: PlainRange): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

export function place(found: { uri: string; range: PlainRange }): vscode.Location {
  return new vscode.Location(vscode.Uri.parse(found.uri), range(found.range));
}
