// Steps as text: what is copied is YAML, and YAML of steps is pasted with ids of their own.

import { copy, paste } from '../flow/fragment';
import type { Point } from '../flow/model';
import type { Editor } from './editor.svelte';
import { editor as words } from './words';

/** pasteIn puts the steps of a text into the flow and picks them; false where there are none in it. */
export function pasteIn(editor: Editor, text: string, at: Point): boolean {
  const pasted = paste(text, editor.flow, at);
  if (pasted === null) return false;
  editor.edit(words().pasted, pasted.edit);
  editor.pick(pasted.ids);
  return true;
}

export const copyOut = (editor: Editor, ids: readonly string[]): Promise<void> => navigator.clipboard.writeText(copy(editor.flow, ids));

export const duplicate = (editor: Editor, ids: readonly string[], at: Point): boolean => pasteIn(editor, copy(editor.flow, ids), at);
