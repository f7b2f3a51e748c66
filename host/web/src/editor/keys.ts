// The keys of the editor. Single letters count only while no field has the focus; a dialog keeps its own.

export interface Does {
  find: () => void;
  undo: () => void;
  redo: () => void;
  remove: () => void;
  fit: () => void;
  whole: () => void;
  near: () => void;
  next: (by: number) => void;
  move: (dx: number, dy: number) => void;
  open: () => void;
  leave: () => void;
  phone: () => void;
  tap: (n: number) => void;
  rename: () => void;
  connect: () => void;
  again: () => void;
}

const inField = (target: EventTarget | null): boolean => target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null;
const inDialog = (target: EventTarget | null): boolean => target instanceof Element && target.closest('dialog, [role="menu"]') !== null;
const inList = (target: EventTarget | null): boolean => target instanceof Element && target.closest('[data-row], [role="tablist"], [role="listbox"], button, a') !== null;

export function keys(does: Does): (event: KeyboardEvent) => void {
  return (event) => {
    if (event.defaultPrevented || inDialog(event.target)) return;
    const command = event.ctrlKey || event.metaKey;
    const field = inField(event.target);
    const key = event.key.toLowerCase();
    const done = (act: () => void): void => {
      event.preventDefault();
      act();
    };
    // One undo for everything: the field's own is never asked, its text is part of the flow.
    if (command && key === 'z') return done(event.shiftKey ? does.redo : does.undo);
    if (command && key === 'y') return done(does.redo);
    if (command && key === 'enter') return done(does.again);
    if (event.key === 'F8') return done(() => does.next(event.shiftKey ? -1 : 1));
    if (event.key === 'Escape' && field) return done(does.leave);
    if (command || event.altKey || field) return;
    const phone = event.target instanceof Element && event.target.closest('.phone-panel') !== null;
    if (phone && /^[1-3]$/.test(key)) return done(() => does.tap(Number(key)));
    if (key === '/') return done(does.find);
    if (key === 'p') return done(does.phone);
    if (event.key === 'F2') return done(does.rename);
    if (inList(event.target)) return;
    const arrows: Record<string, [number, number]> = { arrowup: [0, -1], arrowdown: [0, 1], arrowleft: [-1, 0], arrowright: [1, 0] };
    const arrow = arrows[key];
    if (arrow) return done(() => does.move(...arrow));
    if (key === 'delete' || key === 'backspace') return done(does.remove);
    if (key === 'enter') return done(does.open);
    if (key === 'c') return done(does.connect);
    if (key === '1') return done(does.fit);
    if (key === '2') return done(does.whole);
    if (key === '3') return done(does.near);
  };
}
