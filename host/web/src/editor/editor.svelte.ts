import { read, write, type Read } from '../flow/document';
import type { Edit } from '../flow/edits';
import type { Finding, Flow } from '../flow/model';
import { flowOf } from '../flow/model';
import { History } from './history';

/**
 * Editor is the flow that is edited: its text, what that says, what is picked, and the way back.
 * The text is the truth; canvas, forms and outline are views of it. While it cannot be read, because
 * somebody types YAML, flow is what could be read last.
 */
export class Editor {
  text = $state('');
  flow: Flow = $state.raw(flowOf({}));
  problems: Finding[] = $state.raw([]); // of reading the text
  checked: Finding[] = $state.raw([]); // what the host found in checkedText
  picked: readonly string[] = $state.raw([]); // steps, triggers by triggerKey, notes
  undoable: string | null = $state(null);
  redoable: string | null = $state(null);
  #document: Read['document'];
  #history = new History();

  constructor(text: string) {
    const { document, flow, problems } = read(text);
    this.#document = document;
    this.text = text;
    this.problems = problems;
    if (flow !== null) this.flow = flow;
  }

  /** readable says whether the text is a document: only then edits can be made to it. */
  get readable(): boolean {
    return this.problems.length === 0;
  }

  get findings(): Finding[] {
    return this.problems.length > 0 ? this.problems : this.checked;
  }

  /** edit changes the flow in one step that can be undone. Edits with the same merge key in a row are one. */
  edit(what: string, edit: Edit, merge: string | null = null): void {
    if (!this.readable) return;
    edit(this.#document);
    const text = write(this.#document);
    if (text !== this.text) this.#become(text, what, merge);
  }

  /** type takes the text as somebody has typed it. */
  type(text: string, what: string): void {
    if (text === this.text) return;
    // Keys in a row are one step back; what is pasted or deleted at once is one of its own.
    this.#become(text, what, Math.abs(text.length - this.text.length) <= 2 ? 'text' : null);
    this.#read();
  }

  /** replace takes another text in one step that can be undone, such as an older version. */
  replace(text: string, what: string): void {
    if (text === this.text) return;
    this.#become(text, what, null);
    this.#read();
  }

  undo(): string | null {
    return this.#go(this.#history.back({ text: this.text, picked: this.picked }));
  }

  redo(): string | null {
    return this.#go(this.#history.forth({ text: this.text, picked: this.picked }));
  }

  pick(ids: readonly string[]): void {
    if (ids.length !== this.picked.length || ids.some((id, index) => id !== this.picked[index])) this.picked = ids;
  }

  #become(text: string, what: string, merge: string | null): void {
    this.#history.left({ text: this.text, picked: this.picked, what }, merge, Date.now());
    this.text = text;
    if (this.readable) this.flow = flowOf(this.#document.toJS({ maxAliasCount: 100 }));
    this.#tell();
  }

  #go(to: { text: string; picked: readonly string[]; what: string } | null): string | null {
    if (to === null) return null;
    this.text = to.text;
    this.picked = to.picked;
    this.#read();
    this.#tell();
    return to.what;
  }

  #read(): void {
    const { document, flow, problems } = read(this.text);
    this.#document = document;
    this.problems = problems;
    if (flow !== null) this.flow = flow;
  }

  #tell(): void {
    this.undoable = this.#history.undo;
    this.redoable = this.#history.redo;
  }
}
