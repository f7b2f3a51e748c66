// What a line of a run's way stands for: the call with its input and output, or the event that came.

import type { Of } from '../../api/client';
import type { TraceLine } from '../../phone/trail';

export type HistoryStep = Of<'HistoryStep'>;

export interface Data {
  input?: HistoryStep;
  output?: HistoryStep;
  event?: HistoryStep;
  attempts: number;
  key: string;
  ms: number | null;
  warnings: string[];
  problems: string[];
}

/** data finds what the steps say of a line. A line of a call has the sequence of its first step. */
export function data(line: TraceLine, steps: readonly HistoryStep[]): Data {
  const begun = steps.find((step) => step.sequence === line.sequence);
  const found: Data = { attempts: 0, key: '', ms: line.ms ?? null, warnings: [], problems: [] };
  if (begun === undefined) return found;
  if (begun.step !== 'node.started') return begun.data === undefined ? found : { ...found, event: begun };
  const call = steps.filter((step) => step.node === begun.node && step.visit === begun.visit && step.step.startsWith('node.'));
  found.input = begun;
  found.key = begun.key ?? '';
  found.attempts = call.filter((step) => step.step === 'node.started').length;
  const output = call.find((step) => step.step === 'node.succeeded');
  if (output !== undefined) found.output = output;
  found.warnings = call.flatMap((step) => (step.warnings ?? []).map(({ message }) => message));
  found.problems = call.filter((step) => step.step === 'node.failed' || step.step === 'node.retry').map((step) => step.message ?? step.code ?? '').filter((words) => words !== '');
  return found;
}

/** counted is a way in numbers. */
export function counted(lines: readonly TraceLine[]): { steps: number; messages: number; taps: number } {
  const calls = lines.filter(({ kind }) => kind === 'done' || kind === 'now' || kind === 'failed');
  return {
    steps: calls.length,
    messages: calls.filter(({ messageId, kind }) => kind === 'done' && messageId !== undefined).length,
    taps: lines.filter(({ kind }) => kind === 'tapped' || kind === 'late').length,
  };
}
