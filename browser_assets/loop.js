/**
 * The timing loop of a Round: first, warm, sample. Twin of `native/loop.py`.
 *
 * The twins obey one rule and emit the same Events for the same clock; `tests/golden` holds them to it, to the bit. So
 * a change here is a change there, in the same order of operations: all decisions are made with integers below 2^53
 * and IEEE doubles. Nothing but the work lies between the two readings of the clock.
 *
 * @typedef {import('./protocol').LoopPolicy} LoopPolicy
 * @typedef {import('./protocol').Up} Up
 * @typedef {(event: Up) => void | Promise<void>} Emit may take its time (to send, to let the page breathe): it is
 *   awaited, and never called in the timed region
 *
 * @typedef {object} Clock
 * @property {string} name
 * @property {number} step_ns the smallest difference it can show, as measured
 * @property {() => number} now whole nanoseconds from any origin
 *
 * @typedef {object} Work what is timed; only `run` lies in the timed region
 * @property {() => void | Promise<void>} run
 * @property {() => void | Promise<void>} after_first keeps the outputs of the first run
 * @property {() => void} before_sample drops the outputs of the run before
 *
 * @typedef {Float64Array | number[]} Numbers
 */

// 95 % of a normal; the median's standard error over the mean's; a normal's sigma over its MAD.
const HALF_WIDTH_PER_MAD = 1.96 * 1.2533 * 1.4826;
// A sample aims above the least number of clock steps, and a try is good enough a little below that aim: the work may
// still become quicker (a just-in-time compiler), and were it the least itself, half of the samples would fall below it.
const HEADROOM = 1.5;
const ENOUGH = 1.25;
// How fast the runs per sample grow while not even one step of the clock was seen.
const BLIND_GROWTH = 10;

/**
 * A clock of whole nanoseconds from one of milliseconds; exact up to 2^50 ns.
 * @param {string} name
 * @param {number} step_ns
 * @param {() => number} nowMs
 * @returns {Clock}
 */
export function clockOf(name, step_ns, nowMs) {
  return { name, step_ns, now: () => Math.round(nowMs() * 1e6) };
}

/**
 * Emit the phases `first`, `warm` and `sample`; returns the rule that stopped it.
 *
 * `budget`: the slice was used up (at least one sample is always taken); `narrow`: the median is known closely enough;
 * `most_samples`. What `run` or `emit` throws passes through.
 * @param {Clock} clock
 * @param {Work} work
 * @param {LoopPolicy} policy
 * @param {Emit} emit
 * @returns {Promise<string>}
 */
export async function runLoop(clock, work, policy, emit) {
  await first(clock, work, emit);
  const began_ns = clock.now();
  const typical_ns = await warm(clock, work, policy, emit);
  const runs = await runsPerSample(clock, work, policy, emit, { began_ns, typical_ns });
  return sample(clock, work, policy, emit, { began_ns, runs });
}

/** The samples of one phase, and which of them were sent: at most every `send_every_ns`. */
class Record {
  /**
   * @param {{phase: string, clock: string, runs: number, at_ns: number}} what
   * @param {LoopPolicy} policy
   * @param {Emit} emit
   */
  constructor(what, policy, emit) {
    this.what = what;
    this.sendEveryNs = policy.send_every_ns;
    this.emit = emit;
    this.sentAtNs = what.at_ns;
    this.kept = new Float64Array(64);
    this.n = 0;
    this.sent = 0;
  }

  /** @param {number} duration_ns @param {number} at_ns @returns {void | Promise<void>} */
  add(duration_ns, at_ns) {
    if (this.n === this.kept.length) {
      const longer = new Float64Array(2 * this.n);
      longer.set(this.kept);
      this.kept = longer;
    }
    this.kept[this.n] = duration_ns;
    this.n += 1;
    // No promise where nothing is sent: the next sample starts at once.
    return at_ns - this.sentAtNs >= this.sendEveryNs ? this.flush(at_ns) : undefined;
  }

  /** @param {number} at_ns @returns {Promise<void>} */
  async flush(at_ns) {
    if (this.sent < this.n) {
      const durations_ns = Array.from(this.kept.subarray(this.sent, this.n));
      this.sent = this.n;
      this.sentAtNs = at_ns;
      const { phase, clock, runs } = this.what;
      await this.emit({ event: 'samples', phase, clock, runs_per_sample: runs, durations_ns });
    }
  }

  /** The latest durations, not copied. @param {number} count */
  latest(count) {
    return this.kept.subarray(Math.max(0, this.n - count), this.n);
  }
}

/**
 * Duration of `runs` runs together and the moment they ended, both in nanoseconds.
 * @param {Clock} clock @param {Work} work @param {number} runs
 */
async function timed(clock, work, runs) {
  work.before_sample();
  const { now } = clock;
  const started = now();
  for (let i = 0; i < runs; i += 1) await work.run();
  const ended_ns = now();
  return { duration_ns: ended_ns - started, ended_ns };
}

/** @param {Clock} clock @param {Work} work @param {Emit} emit */
async function first(clock, work, emit) {
  const { duration_ns } = await timed(clock, work, 1);
  await work.after_first();
  await emit({ event: 'phase', phase: 'first', duration_ns, detail: {} });
}

/**
 * Run until steady, or until the share of the slice is used; gives the median of the latest window in ns.
 *
 * The share wins over `warm_least`, so that a slow model has time left for its samples.
 * @param {Clock} clock @param {Work} work @param {LoopPolicy} policy @param {Emit} emit
 */
async function warm(clock, work, policy, emit) {
  const began_ns = clock.now();
  const limit_ns = policy.warm_share * policy.slice_ns;
  const record = new Record({ phase: 'warm', clock: clock.name, runs: 1, at_ns: began_ns }, policy, emit);
  for (;;) {
    const { duration_ns, ended_ns } = await timed(clock, work, 1);
    await record.add(duration_ns, ended_ns);
    const n = record.n;
    const ripe = n >= policy.warm_least && ended_ns - began_ns >= policy.warm_least_ns;
    const steady = ripe && isSteady(record.latest(n), policy, clock.step_ns);
    if (steady || ended_ns - began_ns >= limit_ns || n >= policy.most_samples) {
      await record.flush(ended_ns);
      const detail = { steady, iterations: n };
      await emit({ event: 'phase', phase: 'warm', duration_ns: ended_ns - began_ns, detail });
      return median(record.latest(policy.steady_window));
    }
  }
}

/**
 * Whether two windows agree; a difference below one step of the clock is none.
 * @param {Numbers} durations @param {LoopPolicy} policy @param {number} step_ns
 */
function isSteady(durations, policy, step_ns) {
  const window = policy.steady_window;
  if (durations.length < 2 * window) return false;
  const earlier = median(durations.slice(-2 * window, -window));
  const later = median(durations.slice(-window));
  return Math.abs(later - earlier) <= Math.max(policy.steady_within * earlier, step_ns);
}

/**
 * How many runs make a sample that lasts `steps_per_sample` steps of the clock.
 *
 * A coarse clock shows a quick run as 0 or 1 step, and cannot show that it is steady. So the guess is tried, grown while
 * it is too short, and tried until it is steady; the tries are part of the warm-up and are emitted as such.
 * @param {Clock} clock @param {Work} work @param {LoopPolicy} policy @param {Emit} emit
 * @param {{began_ns: number, typical_ns: number}} warmed
 */
async function runsPerSample(clock, work, policy, emit, warmed) {
  const target_ns = policy.steps_per_sample * clock.step_ns;
  if (warmed.typical_ns >= ENOUGH * target_ns) return 1;
  const limit_ns = policy.warm_share * policy.slice_ns;
  let runs = grown(1, warmed.typical_ns, target_ns);
  for (;;) {
    const record = new Record({ phase: 'warm', clock: clock.name, runs, at_ns: clock.now() }, policy, emit);
    let enough = true;
    let over = false;
    let taken = { duration_ns: 0, ended_ns: 0 };
    while (enough && !over) {
      taken = await timed(clock, work, runs);
      await record.add(taken.duration_ns, taken.ended_ns);
      enough = taken.duration_ns >= ENOUGH * target_ns;
      const elapsed_ns = taken.ended_ns - warmed.began_ns;
      over = elapsed_ns >= policy.slice_ns
        || (enough && (elapsed_ns >= limit_ns || isSteady(record.latest(record.n), policy, clock.step_ns)));
    }
    await record.flush(taken.ended_ns);
    if (over) return runs;
    runs = grown(runs, taken.duration_ns, target_ns);
  }
}

/** @param {number} runs @param {number} duration_ns @param {number} target_ns */
function grown(runs, duration_ns, target_ns) {
  if (duration_ns <= 0) return runs * BLIND_GROWTH;
  return Math.max(runs + 1, Math.ceil((runs * HEADROOM * target_ns) / duration_ns));
}

/**
 * @param {Clock} clock @param {Work} work @param {LoopPolicy} policy @param {Emit} emit
 * @param {{began_ns: number, runs: number}} batched
 */
async function sample(clock, work, policy, emit, batched) {
  const began_ns = clock.now();
  const { runs } = batched;
  const record = new Record({ phase: 'sample', clock: clock.name, runs, at_ns: began_ns }, policy, emit);
  // Looked up once: what lies between two samples is time that a quick model does not get.
  const { most_samples } = policy;
  const ends_at_ns = batched.began_ns + policy.slice_ns;
  const ripe_at_ns = began_ns + policy.least_time_ns;
  let check_at = policy.least_samples;
  let stopped_by = '';
  let ended_ns = began_ns;
  while (stopped_by === '') {
    const taken = await timed(clock, work, runs);
    ended_ns = taken.ended_ns;
    await record.add(taken.duration_ns, ended_ns);
    if (ended_ns >= ends_at_ns) {
      stopped_by = 'budget';
    } else if (record.n >= most_samples) {
      stopped_by = 'most_samples';
    } else if (record.n >= check_at && ended_ns >= ripe_at_ns) {
      check_at = record.n + Math.max(1, Math.floor(record.n / 4));
      if (isNarrow(record.latest(record.n), clock.step_ns, policy.narrow_within)) stopped_by = 'narrow';
    }
  }
  await record.flush(ended_ns);
  const detail = { samples: record.n, runs_per_sample: runs, stopped_by };
  await emit({ event: 'phase', phase: 'sample', duration_ns: ended_ns - began_ns, detail });
  return stopped_by;
}

/**
 * Whether the median's 95 % interval is narrow, by normal approximation.
 *
 * A coarse clock can show the same number every time: the interval is then never taken for narrower than one step.
 * @param {Numbers} durations @param {number} step_ns @param {number} narrow_within
 */
function isNarrow(durations, step_ns, narrow_within) {
  const middle = median(durations);
  if (middle <= 0) return false;
  const mad = median(durations.map((duration) => Math.abs(duration - middle)));
  const half_width = Math.max((HALF_WIDTH_PER_MAD * mad) / Math.sqrt(durations.length), step_ns);
  return half_width / middle <= narrow_within;
}

/** Sum of the middle two, halved. @param {Numbers} values @returns {number} */
function median(values) {
  const ordered = Float64Array.from(values).sort();
  const n = ordered.length;
  return (ordered[Math.floor((n - 1) / 2)] + ordered[Math.floor(n / 2)]) / 2;
}
