// What the steps of a run say of it: where it has been, where it is, what it waits for, line by line.

// A trigger's name among steps, as on the canvas.
const triggerKey = (id: string): string => `trigger ${id}`;

/** Step is a step of a run as GET /v1/runs/{run}/steps tells it. */
export interface Step {
  sequence: number;
  time: string;
  step: string;
  node?: string;
  visit?: number;
  attempt?: number;
  port?: string;
  code?: string;
  message?: string;
  messageId?: string;
  buttonId?: string;
  data?: unknown;
  warnings?: { message: string }[];
}

export type LineKind =
  | 'start' | 'now' | 'done' | 'tapped' | 'late' | 'wrote' | 'timeout' | 'refused' | 'retry' | 'failed' | 'joined'
  | 'queued' | 'reopened' | 'succeeded' | 'failedRun' | 'cancelled';

/** TraceLine is one line. What people and buttons are called is found by the messages they belong to. */
export interface TraceLine {
  sequence: number;
  time: string;
  kind: LineKind;
  node: string | null;
  ms?: number; // how long it took
  messageId?: string; // the one that was sent, or was answered
  answerId?: string; // the one that answered
  buttonId?: string;
  who?: string; // of the answer; only where texts are shown
  label?: string;
  offered?: string[]; // the ports that a wait has
  why?: string; // in the server's words
  warnings?: string[];
}

export type RunStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

const most = 500; // lines

export class Trail {
  readonly visited = new Map<string, number>(); // the visit, by node
  readonly taken = new Set<string>(); // "node.port"; "trigger id" of the one that began it
  readonly waiting = new Map<number, string>(); // node, by visit
  lines: TraceLine[] = [];
  status: RunStatus = 'running';
  started = '';
  last = 0;
  readonly #busy = new Map<number, TraceLine>(); // what runs now, by visit

  /** at is the node that runs now, the last that began. */
  get at(): string | null {
    return [...this.#busy.values()].at(-1)?.node ?? null;
  }

  get over(): boolean {
    return this.status === 'succeeded' || this.status === 'failed' || this.status === 'cancelled';
  }

  beganBy(trigger: string): void {
    if (trigger !== '') this.taken.add(triggerKey(trigger));
  }

  add(step: Step): void {
    if (step.sequence <= this.last) return;
    this.last = step.sequence;
    const { node, visit = 0, port } = step;
    switch (step.step) {
      case 'run.started':
        this.started = step.time;
        this.status = 'running';
        this.#line(step, 'start');
        break;
      case 'run.queued':
        this.status = 'queued';
        this.#line(step, 'queued');
        break;
      case 'run.reopened':
        this.status = 'running';
        this.#line(step, 'reopened');
        break;
      case 'run.finished':
        this.status = (step.code as RunStatus | undefined) ?? 'succeeded';
        this.#busy.clear();
        this.waiting.clear();
        this.#line(step, this.status === 'failed' ? 'failedRun' : this.status === 'cancelled' ? 'cancelled' : 'succeeded');
        break;
      case 'node.started': {
        if (node === undefined) break;
        this.visited.set(node, visit);
        this.#busy.set(visit, this.#line(step, 'now'));
        break;
      }
      case 'node.succeeded':
        this.#ended(step, 'done');
        if (node !== undefined && port !== undefined) this.taken.add(`${node}.${port}`);
        break;
      case 'node.failed':
        this.#ended(step, 'failed');
        if (node !== undefined) this.taken.add(`${node}.error`);
        break;
      case 'node.retry':
        this.#ended(step, 'retry');
        break;
      case 'wait.armed': {
        if (node === undefined) break;
        this.waiting.set(visit, node);
        const line = this.lines.findLast((one) => one.node === node && one.kind === 'done');
        const offered = Array.isArray(step.data) ? step.data.filter((one) => typeof one === 'string') : [];
        if (line !== undefined) this.#change(line, { offered });
        break;
      }
      case 'wait.answered':
      case 'wait.restarted':
        this.#answered(step);
        break;
      case 'wait.timeout':
        this.waiting.delete(visit);
        if (node !== undefined) this.taken.add(`${node}.${port ?? 'timeout'}`);
        this.#line(step, 'timeout');
        break;
      case 'wait.refused':
      case 'wait.ignored':
        this.#line(step, 'refused', answerOf(step));
        break;
      case 'branch.joined':
        this.#line(step, 'joined');
        break;
    }
  }

  #answered(step: Step): void {
    const { node, visit = 0, port } = step;
    this.waiting.delete(visit);
    if (node !== undefined && port !== undefined) this.taken.add(`${node}.${port}`);
    const tapped = step.buttonId !== undefined || port?.startsWith('reply:');
    this.#line(step, !tapped ? 'wrote' : step.step === 'wait.restarted' ? 'late' : 'tapped', answerOf(step));
  }

  /** ended puts what became of a step in the place of the line that said that it runs. */
  #ended(step: Step, kind: LineKind): void {
    const line = this.#busy.get(step.visit ?? 0);
    this.#busy.delete(step.visit ?? 0);
    const why = step.message ?? step.code;
    const more = { ...(step.messageId !== undefined && { messageId: step.messageId }), ...(why !== undefined && { why }), ...(step.warnings?.length && { warnings: step.warnings.map((one) => one.message) }) };
    if (line === undefined) this.#line(step, kind, more);
    else this.#change(line, { ...more, kind, ms: Math.max(0, Date.parse(step.time) - Date.parse(line.time)) });
  }

  #line(step: Step, kind: LineKind, more: Partial<TraceLine> = {}): TraceLine {
    const why = step.message === undefined || more.why !== undefined ? {} : { why: step.message };
    const line: TraceLine = { sequence: step.sequence, time: step.time, kind, node: step.node ?? null, ...why, ...more };
    this.lines = [...this.lines, line].slice(-most);
    return line;
  }

  #change(line: TraceLine, change: Partial<TraceLine>): void {
    const at = this.lines.findIndex((one) => one.sequence === line.sequence);
    if (at >= 0) this.lines = this.lines.with(at, { ...(this.lines[at] as TraceLine), ...change });
  }
}

const masked = /^\(\d+ characters\)$|^…/;

/** answerOf is what a tap or a text says of itself; texts may be masked. */
function answerOf(step: Step): Partial<TraceLine> {
  const data = (step.data ?? {}) as { messageId?: string; sender?: { name?: string }; button?: { displayText?: string } };
  const plain = (text: string | undefined): string | undefined => (text === undefined || text === '' || masked.test(text) ? undefined : text);
  const [who, label] = [plain(data.sender?.name), plain(data.button?.displayText)];
  return {
    ...(step.messageId !== undefined && { messageId: step.messageId }),
    ...(step.buttonId !== undefined && { buttonId: step.buttonId }),
    ...(data.messageId !== undefined && { answerId: data.messageId }),
    ...(who !== undefined && { who }),
    ...(label !== undefined && { label }),
  };
}
