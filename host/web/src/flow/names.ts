/** triggerKey is a trigger's name on the canvas, where steps have names, too. */
export const triggerKey = (id: string): string => `trigger ${id}`;
