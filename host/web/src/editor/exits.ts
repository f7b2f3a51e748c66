import type { Step } from '../flow/model';
import type { Port } from '../flow/ports';
import type { IconName } from '../ui/icons';
import { duration } from '../ui/time';
import { editor } from './words';

/** exitLabel is what an exit is called. Those that the host brings to every step are named here, the others by their manifest. */
export function exitLabel(port: Port, step: Step): string {
  const w = editor();
  if (port.button) return port.label;
  if (port.id === 'timeout') return w.noAnswerIn(duration(step.wait?.timeout ?? '24h'));
  if (port.id === 'text') return w.wroteInstead;
  if (port.id === 'error') return w.failed;
  if (port.id === 'remind:*') return w.anyReminder;
  if (port.id.startsWith('remind:')) return w.remindAfter(duration(step.wait?.remind?.[Number(port.id.slice(7)) - 1] ?? ''));
  return port.label || port.id;
}

export function exitIcon(port: string): IconName {
  if (port === 'timeout' || port.startsWith('remind:')) return 'clock';
  if (port === 'text') return 'text';
  if (port === 'error') return 'error';
  return 'arrow';
}
