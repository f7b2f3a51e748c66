export class LiveRun { visited = new Map<string, number>(); taken = new Set<string>(); at: string | null = null; waits: { node: string; until?: string | null }[] = []; constructor(readonly run: string) {} stop(): void {} }
export default LiveRun;
