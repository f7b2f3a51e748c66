// Which two versions are compared: what the address says, or what is most likely meant.

import type { Of } from '../../api/client';

export type Version = Of<'Version'>;

/** shown are the versions that people made; those that were tried in the editor are no history. */
export const shown = (all: readonly Version[]): Version[] =>
  all.filter(({ state }) => state !== 'trial').sort((a, b) => Number(b.state === 'draft') - Number(a.state === 'draft') || b.version - a.version);

/** pair is from and to; from is null while there is nothing to compare with. */
export function pair(versions: readonly Version[], from: number, to: number): { from: Version | null; to: Version | null } {
  const of = (number: number): Version | undefined => versions.find(({ version }) => version === number);
  const newer = of(to) ?? versions[0] ?? null;
  const published = versions.find(({ state }) => state === 'published');
  const before = versions.filter(({ state, version }) => state !== 'draft' && newer !== null && version < newer.version)[0];
  const likely = published !== undefined && published !== newer && newer?.state === 'draft' ? published : before;
  return { to: newer, from: of(from) ?? likely ?? null };
}
