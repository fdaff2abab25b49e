/**
 * What part of a run is reading, inference and what follows, where a backend does more than run a graph.
 *
 * @typedef {import('./backends/seam.js').Session} Session
 * @typedef {import('./protocol').Up} Up
 */

import { wordsOf } from './backends/seam.js';

const RUNS = 20;
const LIMIT_MS = 10_000;

/**
 * Some runs with marks, after the timing: a mark costs little, but it is not what users run.
 * @param {Session} session one with `parts`
 * @param {(event: Up) => void | Promise<void>} emit
 */
export async function sampleParts(session, emit) {
  const work = session.parts?.();
  if (work === undefined) return;
  /** @type {Record<string, number[]>} */
  const taken = {};
  const began = performance.now();
  try {
    for (let run = 0; run < RUNS && performance.now() - began < LIMIT_MS; run += 1) {
      session.dropOutputs();
      for (const [part, duration_ms] of Object.entries(await work.run())) {
        (taken[part] ??= []).push(Math.round(duration_ms * 1e6));
      }
    }
  } catch (error) {
    // It is no failure of what was measured.
    const data = { parts_missing: wordsOf(error) };
    await emit({ event: 'note', kind: 'provenance', text: 'not to be had', data });
    return;
  }
  for (const [part, durations_ns] of Object.entries(taken)) {
    await emit({ event: 'samples', phase: `part_${part}`, clock: 'performance_now', runs_per_sample: 1, durations_ns });
  }
}
