/**
 * What the loop's await cannot show of a GPU: submit, and the slope through the durations of unwaited runs.
 *
 * The longest point lasts several times as long as waiting for nothing does. Firefox looks for finished work every
 * 100 ms, and a point that starts when such a look has just ended is rounded up to the next, always in the same way: a
 * line through such stairs can be a sixth off, and look sure. So each point starts at a random moment.
 *
 * @typedef {import('../protocol').Samples} Samples
 *
 * @typedef {object} GpuWork runs that can be handed over without waiting for them
 * @property {GPUDevice} device for its timestamps
 * @property {() => void | Promise<void>} enqueue one run; returns once it is handed over
 * @property {() => Promise<unknown>} finished when all that was handed over is done
 *
 * @typedef {object} Limits
 * @property {number} floor_ns what waiting costs when there is nothing to wait for
 * @property {number} limit_ns how long it may take; all points are taken once at least, if that takes twice as long at most
 */

const POINTS = 5;
const SUBMITS = 3;
const LONGEST_IN_FLOORS = 6;
const LONGEST_LEAST_NS = 50e6;
const MOST_RUNS = 4096;
const MOST_REPEATED = 30;
const LONG_FLOOR_NS = 5e6;
// A guess is never trusted for more than this: the work of a few runs may hide in the wait.
const MOST_GROWTH = 32;

/**
 * Samples of the clocks `submit` and `slope`; emits nothing of the slope where it would take too long.
 * @param {GpuWork} work
 * @param {Limits} limits
 * @param {() => number} now whole nanoseconds
 * @param {(samples: Samples) => void | Promise<void>} emit
 */
export async function sampleSubmitAndSlope(work, limits, now, emit) {
  const began_ns = now();
  const submits = [];
  let alone_ns = 0;
  for (let i = 0; i < SUBMITS; i += 1) {
    const { submit_ns, duration_ns } = await unwaited(work, 1, now);
    submits.push(submit_ns);
    alone_ns = duration_ns;
    if (now() - began_ns > limits.limit_ns) break;
  }
  await emit(samplesOf('submit', 1, submits));
  const sizes = await sizesOf(work, limits, now, alone_ns);
  if (sizes.length === 0) return;
  for (let i = 0, round_ns = 0; i < MOST_REPEATED && (i === 0 || now() - began_ns + round_ns < limits.limit_ns); i += 1) {
    const round_began_ns = now();
    for (const runs of sizes) {
      const { duration_ns } = await unwaited(work, runs, now, limits.floor_ns);
      await emit(samplesOf('slope', runs, [duration_ns]));
    }
    round_ns = now() - round_began_ns;
  }
}

/**
 * So many runs handed over, then one wait.
 * @param {GpuWork} work @param {number} runs @param {() => number} now @param {number} [floor_ns] where it is long
 */
async function unwaited({ enqueue, finished }, runs, now, floor_ns = 0) {
  if (floor_ns > LONG_FLOOR_NS) await new Promise((go) => { setTimeout(go, (Math.random() * floor_ns) / 1e6); });
  const began_ns = now();
  await enqueue();
  const submit_ns = now() - began_ns;
  for (let i = 1; i < runs; i += 1) await enqueue();
  await finished();
  return { submit_ns, duration_ns: now() - began_ns };
}

/**
 * Numbers of runs whose durations make the slope, the longest long enough; none where even a few take too long.
 * @param {GpuWork} work @param {Limits} limits @param {() => number} now @param {number} alone_ns
 */
async function sizesOf(work, { floor_ns, limit_ns }, now, alone_ns) {
  const enough_ns = Math.max(LONGEST_IN_FLOORS * floor_ns, LONGEST_LEAST_NS);
  const spared_ns = Math.max(0, alone_ns - floor_ns);
  for (const points of [POINTS, 3]) {
    const all_ns = ((points * (points + 1)) / 2) * spared_ns + points * floor_ns;
    if (points * spared_ns >= enough_ns && all_ns <= 2 * limit_ns) return spread(points, points);
  }
  if (3 * spared_ns >= enough_ns) return [];
  const ends_ns = now() + limit_ns;
  let runs = POINTS;
  for (;;) {
    const { duration_ns } = await unwaited(work, runs, now);
    if (duration_ns >= enough_ns) return spread(Math.max(POINTS, Math.ceil((runs * enough_ns) / duration_ns)), POINTS);
    if (runs >= MOST_RUNS || now() > ends_ns) return spread(runs, POINTS);
    const needed = (runs * enough_ns) / Math.max(duration_ns - floor_ns, duration_ns / 8);
    runs = Math.min(MOST_RUNS, Math.ceil(Math.max(2 * runs, Math.min(MOST_GROWTH * runs, needed))));
  }
}

/** @param {number} most @param {number} points */
function spread(most, points) {
  return Array.from({ length: points }, (_, i) => Math.round((most * (i + 1)) / points));
}

/** @param {string} clock @param {number} runs_per_sample @param {number[]} durations_ns @returns {Samples} */
function samplesOf(clock, runs_per_sample, durations_ns) {
  return { event: 'samples', phase: 'sample', clock, runs_per_sample, durations_ns };
}
