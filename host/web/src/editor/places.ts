// Where steps lie beside each other: the place of a new one, and the next one in a direction.

import type { Point } from '../flow/model';

type Places = Readonly<Record<string, Point>>;

const across = 280; // from step to step, as they are laid out
const down = 140;

/** beside is right of a place, and below what is there already. */
export function beside(at: Point, taken: Places): Point {
  let y = at.y;
  const others = Object.values(taken);
  while (others.some((other) => Math.abs(other.x - at.x - across) < 200 && Math.abs(other.y - y) < 120)) y += down;
  return { x: at.x + across, y };
}

/** neighbour is the nearest step in a direction, rather straight ahead than near. */
export function neighbour(from: string, [dx, dy]: readonly [number, number], places: Places): string | null {
  const at = places[from];
  if (at === undefined) return null;
  let best: { id: string; far: number } | null = null;
  for (const [id, other] of Object.entries(places)) {
    const [x, y] = [other.x - at.x, other.y - at.y];
    const ahead = x * dx + y * dy;
    if (ahead <= 10) continue;
    const far = ahead + 2 * Math.abs(x * dy + y * dx);
    if (best === null || far < best.far) best = { id, far };
  }
  return best?.id ?? null;
}
