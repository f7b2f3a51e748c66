import { go } from '../app/router.svelte';
import { triggerKey } from '../flow/names';
import type { Finding } from '../flow/model';
import { focusSoon } from '../ui/focus';
import type { Editor } from './editor.svelte';

interface To {
  flow: string;
  yaml: () => boolean; // whether the text is what is shown
  step: (id: string) => void; // shows a step with its form
  line: (line: number) => void; // shows a line of the text
}

/** Jumps lead to what is wrong: to the field of a step, or to the line of what is no step. */
export class Jumps {
  #at = -1;

  constructor(readonly editor: Editor, readonly to: To) {}

  jump(found: Finding): void {
    const id = this.#stepOf(found);
    if (id !== undefined && !this.to.yaml()) {
      this.editor.pick([id]);
      this.to.step(id);
      void focusSoon('.inspector [aria-invalid="true"]');
      return;
    }
    if (!this.to.yaml()) go(`/flows/${encodeURIComponent(this.to.flow)}/yaml`);
    const { line } = found;
    if (line) setTimeout(() => this.to.line(line), 60);
  }

  /** next goes on to the next finding, or back to the one before. */
  next(by: number): void {
    const all = this.editor.findings;
    if (all.length === 0) return;
    this.#at = (this.#at + by + all.length) % all.length;
    const found = all[this.#at];
    if (found) this.jump(found);
  }

  #stepOf(found: Finding): string | undefined {
    const [, list, index] = found.pointer.split('/');
    const { nodes, triggers } = this.editor.flow;
    if (list === 'nodes') return nodes[Number(index)]?.id;
    return list === 'triggers' ? triggerKey(triggers[Number(index)]?.id ?? '') : undefined;
  }
}
