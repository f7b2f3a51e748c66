// A press that counts although the page moved under it.

const slip = 8; // px that a hand may move between press and release

/**
 * steady clicks a button that was pressed and is no longer under the mouse when it is let go, because something above it came or
 * went: the browser would give the click to nobody. Who moves the mouse away has thought better of it, as ever.
 */
export function steady(button: HTMLElement): () => void {
  let pressed: PointerEvent | undefined;
  const down = (event: PointerEvent): void => {
    pressed = event.button === 0 ? event : undefined;
  };
  const up = (event: PointerEvent): void => {
    const at = pressed;
    pressed = undefined;
    if (at === undefined || event.pointerId !== at.pointerId || event.composedPath().includes(button)) return;
    if (Math.hypot(event.clientX - at.clientX, event.clientY - at.clientY) <= slip) button.click();
  };
  button.addEventListener('pointerdown', down);
  window.addEventListener('pointerup', up);
  return () => {
    button.removeEventListener('pointerdown', down);
    window.removeEventListener('pointerup', up);
  };
}
