/**
 * The Round that profiles: operators' times by the runtime's own profiler, and the same runs without it before and after,
 * so that its cost is known. Twin of `_profile` in `native/worker.py`.
 *
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./protocol').Outputs} Outputs
 * @typedef {import('./protocol').Up} Up
 * @typedef {import('./backends/seam.js').Session} Session
 */

import { WARM_BEFORE_PROFILE, asOutcome, timedRunNs } from './backends/seam.js';

const MOST_PROFILED_RUNS = 20;
// Of a Round's slice, for the profiled runs; twice as long for those without.
const PROFILED_SHARE = 0.25;

/**
 * Throws Unsupported where there is no profiler, RoundFailed `profile_failed` where it breaks; gives the outputs of the
 * first and the last iteration before it, to be sent.
 * @param {CaseMessage} message @param {Session} session
 * @param {(iteration: 'first' | 'last') => Promise<Outputs>} deliver of the latest run
 * @param {{emit: (event: Up) => void | Promise<void>, keepAlive: (on: boolean) => void}} say
 * @returns {Promise<Outputs[]>}
 */
export async function profileRuns(message, session, deliver, { emit, keepAlive }) {
  const sampled = /** @type {const} */ ({ event: 'samples', clock: session.clock, runs_per_sample: 1 });
  /** Told as it ends: of a slow model that is the only sign that it gets on. @param {string} phase */
  const timed = async (phase) => {
    keepAlive(false); // no sign of life within: it could fall into a run
    const taken = await timedRunNs(session);
    keepAlive(true);
    await emit({ ...sampled, phase, durations_ns: [taken] });
    return taken;
  };

  await session.run();
  const delivered = [await deliver('first')];
  const share_ns = PROFILED_SHARE * message.policy.slice_ns;
  const warmed = [await timed('warm')];
  while (warmed.length < WARM_BEFORE_PROFILE && warmed.reduce((sum, each) => sum + each, 0) < share_ns) {
    warmed.push(await timed('warm'));
  }
  const fitting = Math.floor(share_ns / Math.max(1, Math.min(...warmed)));
  const runs = Math.min(MOST_PROFILED_RUNS, Math.max(1, fitting));
  for (let run = 0; run < runs; run += 1) await timed('unprofiled');
  session.dropOutputs();
  await session.run();
  delivered.push(await deliver('last'));
  session.dropOutputs();
  const { source, durations_ns, operators } = await profiled(message, session, runs);
  await emit({ ...sampled, phase: 'profiled', durations_ns });
  for (let run = 0; run < runs; run += 1) await timed('unprofiled');
  await emit({ event: 'note', kind: 'profile', text: 'time per operator', data: { source, runs, operators } });
  return delivered;
}

/** @param {CaseMessage} message @param {Session} session @param {number} runs */
async function profiled(message, session, runs) {
  try {
    return await session.profile(runs);
  } catch (error) {
    throw asOutcome('profile_failed', error, message.case.platform);
  }
}
