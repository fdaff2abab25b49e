/**
 * What is asked of a Round besides its timing, and after it: a GPU's other clocks, and whether anything leaks.
 *
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./protocol').Up} Up
 * @typedef {import('./backends/seam.js').Session} Session
 */

import { wordsOf } from './backends/seam.js';
import { sampleSubmitAndSlope } from './gpu/clocks.js';
import { profileOnGpu } from './gpu/timestamps.js';
import { checkLeaks } from './memory.js';
import { openSession, probeFor } from './opening.js';

// Of a Round's slice, for the clocks that its loop does not see: most where awaiting says little.
const CLOCKS_SHARE = 0.25;
const CLOCKS_SHARE_WHEN_FLOOR_IS_HIGH = 0.75;
const HIGH_FLOOR_NS = 20e6;
const PROFILED_RUNS = 10;

/** @param {number} floor_ns what waiting costs when there is nothing to wait for */
export function shareOfClocks(floor_ns) {
  return floor_ns > HIGH_FLOOR_NS ? CLOCKS_SHARE_WHEN_FLOOR_IS_HIGH : CLOCKS_SHARE;
}

/**
 * A GPU's other clocks, which the loop does not see.
 * @param {CaseMessage} message @param {NonNullable<Session['gpu']>} gpu @param {() => number} now whole nanoseconds
 * @param {{floor_ns: number, limit_ns: number}} limits
 * @param {(event: Up) => void | Promise<void>} emit
 */
export async function measureGpu(message, gpu, now, limits, emit) {
  const work = await gpu();
  await sampleSubmitAndSlope(work, limits, now, emit);
  if (!message.first_round) return;
  const profiled = await profileOnGpu(work.device, work.enqueue, { times: PROFILED_RUNS, limit_ms: limits.limit_ns / 1e6 });
  const durations_ns = profiled.map(({ span_ns }) => span_ns);
  await emit({ event: 'samples', phase: 'sample', clock: 'timestamp', runs_per_sample: 1, durations_ns });
  const data = { gpu_runs: profiled.slice(0, 1) };
  await emit({ event: 'note', kind: 'provenance', text: 'the GPU by its own clock', data });
}

/**
 * Loads and disposals, as many as the Case asks for.
 * @param {CaseMessage} message
 * @param {(event: Up) => void} send
 */
export async function lookForLeaks(message, send) {
  const provenance = await probeFor(message);
  const loadAndDispose = async () => {
    const began = performance.now();
    const session = await openSession(message, provenance, (code, reason) => console.warn(`${code}: ${reason}`));
    await session.prepare();
    await session.load();
    await session.run();
    await session.close();
    const duration_ns = Math.round((performance.now() - began) * 1e6);
    send({ event: 'phase', phase: 'leak_load', duration_ns, detail: {} }); // also a sign that it gets on
  };
  const leaks = await checkLeaks(Number(message.case.options.leak_check), loadAndDispose, (name) => {
    send({ event: 'note', kind: 'progress', text: 'memory', data: { read_memory: name } });
  });
  send({ event: 'note', kind: 'provenance', text: 'loads and disposals', data: { leaks } });
}

/** That something besides cannot be had is no failure of what was measured. @param {unknown} error @returns {Up} */
export function missing(error) {
  return { event: 'note', kind: 'provenance', text: 'not to be had', data: { gpu_clocks_missing: wordsOf(error) } };
}
