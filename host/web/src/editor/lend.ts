// What the search (Ctrl K) can do in the flow that is open.

import type { Command } from '../app/commands.svelte';
import { go } from '../app/router.svelte';
import type { Editor } from './editor.svelte';
import { editor as words } from './words';

export interface Can {
  publish: (() => void) | null; // null: the reader may not
  arrange(): void;
  findings(): void;
  settings(): void;
  find(): void;
  phone: (() => void) | null;
}

export function commandsOf(flow: string, editor: Editor, can: Can): Command[] {
  const w = words();
  const path = `/flows/${encodeURIComponent(flow)}`;
  const errors = editor.findings.filter((finding) => finding.severity === 'error').length;
  const all: (Command | null)[] = [
    can.publish && { id: 'f-publish', title: w.publish, act: can.publish },
    { id: 'f-find', title: w.findStep, keys: '/', act: can.find },
    editor.undoable === null ? null : { id: 'f-undo', title: w.undo(editor.undoable), keys: 'Ctrl Z', act: () => editor.undo() },
    editor.redoable === null ? null : { id: 'f-redo', title: w.redo(editor.redoable), keys: 'Ctrl Shift Z', act: () => editor.redo() },
    can.phone && { id: 'f-phone', title: w.phone, keys: 'P', act: can.phone },
    { id: 'f-canvas', title: w.canvas, act: () => go(path) },
    { id: 'f-outline', title: w.outline, act: () => go(`${path}/outline`) },
    { id: 'f-yaml', title: w.yaml, act: () => go(`${path}/yaml`) },
    { id: 'f-tidy', title: w.tidy, act: can.arrange },
    { id: 'f-findings', title: w.findingsTitle, note: editor.findings.length === 0 ? w.noFindings : w.findings(errors, editor.findings.length - errors), act: can.findings },
    { id: 'f-versions', title: w.versions, act: () => go(`${path}/versions`) },
    { id: 'f-settings', title: w.flowSettings, note: `${w.description}, ${w.variables}`, act: can.settings },
  ];
  return all.filter((command) => command !== null);
}
