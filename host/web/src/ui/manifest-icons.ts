import type { IconName } from './icons';

// A manifest names its icon with a word of Lucide's; these are ours for the same idea. A word that
// is not here gets the icon of its kind: a third-party node never goes without.
const known: Record<string, IconName> = {
  clock: 'clock', 'octagon-x': 'error', workflow: 'canvas', globe: 'http', list: 'log', reply: 'back',
  pencil: 'set', split: 'branch', shuffle: 'set', 'mouse-pointer-click': 'tap', 'message-circle': 'text',
  'check-check': 'tick2', 'message-square': 'send', calendar: 'clock', 'user-search': 'search', link: 'link',
  phone: 'phone', copy: 'copy',
};

export function manifestIcon(icon: string | undefined, kind: string, exits: number): IconName {
  const found = icon === undefined ? undefined : known[icon];
  if (found !== undefined) return found;
  if (kind === 'TRIGGER') return 'bolt';
  return exits > 0 ? 'buttons' : 'send';
}
