import { get, post, Refusal } from '../../api/client';
import { nextName } from '../../phone/shown';

/** gather gives phones to those who have none yet, on the simulator. */
export async function gather(people: readonly string[]): Promise<void> {
  const there = await get<{ number: string; name: string }[]>('/sim/v1/accounts');
  for (const number of people) {
    if (there.some((one) => one.number === number)) continue;
    const name = nextName(there);
    try {
      await post('/sim/v1/phones', { number, name });
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 409)) throw error; // 409: somebody was quicker
    }
    there.push({ number, name });
  }
}
