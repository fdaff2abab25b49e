/**
 * The Round that audits: one single run, then the frozen inputs by turns with others, under two clocks. Twin of
 * `native/audit.py`, which says what is told; `harness/analyse/audit.py` judges it.
 *
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./protocol').Outputs} Outputs
 * @typedef {import('./protocol').Up} Up
 * @typedef {import('./backends/seam.js').Session} Session
 * @typedef {import('./backends/seam.js').HostTensor} HostTensor
 * @typedef {import('./loop.js').Clock} Clock
 */

import { fetchFile, wordsOf } from './backends/seam.js';
import { Draws, Varied } from './varied.js';

// Two clocks are held against each other for at least so long: what a message needs is then far below a hundredth.
const LEAST_STRETCH_NS = 3e9;
const TICKS = 40;
// Of a Round's slice; where a slow model would have too few pairs, so many slices at most.
const SHARE = 0.5;
const MOST_SLICES = 4;
const WARM = 5;
const ENOUGH_PAIRS = 12;
const MOST_PAIRS = 1_000;
const MOST_COMPARED = 8;
const IDLE_MS = 50;
const NO_OTHERS = 'this backend takes no inputs but those of its own';
const NO_MORE = 'there are no more inputs that differ';
const NONE_VARY = 'no input may be varied: masks, positions and sizes alone, or the same number everywhere';

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/**
 * Gives the outputs of the first and the last run, to be sent. What a run of the frozen inputs throws passes.
 * @param {CaseMessage} message @param {Session} session @param {Clock} clock
 * @param {(iteration: 'first' | 'last') => Promise<Outputs>} deliver of the latest run
 * @param {(event: Up) => void | Promise<void>} emit
 * @returns {Promise<Outputs[]>}
 */
export async function auditRuns(message, session, clock, deliver, emit) {
  await session.run();
  const delivered = [await deliver('first')];
  const watch = new Watch(clock, emit, Math.max(LEAST_STRETCH_NS, SHARE * message.policy.slice_ns));
  const audit = new Audit(session, watch, session.give ? await readInputs(message) : []);
  await audit.warm();
  const limit_ns = Math.max(watch.stretch_ns, MOST_SLICES * message.policy.slice_ns);
  while (!audit.enough(limit_ns)) await audit.pair();
  await audit.run(audit.frozen);
  delivered.push(await deliver('last'));
  while (watch.elapsedNs() < LEAST_STRETCH_NS) {
    await pause(IDLE_MS);
    await watch.tick();
  }
  await watch.flush();
  const caching = { compared: audit.compared, same: audit.same, reason: audit.no_others };
  await emit({ event: 'note', kind: 'provenance', text: 'audited', data: { audit: { caching, second_clock: 'Date.now' } } });
  return delivered;
}

/** @param {CaseMessage} message @returns {Promise<HostTensor[]>} */
function readInputs(message) {
  return Promise.all(message.artifact.inputs.map(async ({ name, dtype, shape, file }) => (
    { name, dtype, shape, bytes: new Uint8Array(await fetchFile(message, file)) }
  )));
}

/** Tells now and then what the clocks show, and the samples since. */
class Watch {
  /** @param {Clock} clock @param {(event: Up) => void | Promise<void>} emit @param {number} stretch_ns */
  constructor(clock, emit, stretch_ns) {
    this.clock = clock;
    this.emit = emit;
    this.stretch_ns = stretch_ns;
    /** @type {Record<'repeated' | 'varied', number[]>} */
    this.pending = { repeated: [], varied: [] };
    this.began_ns = clock.now();
    this.second_began_ms = Date.now();
    this.ticked_ns = -stretch_ns;
  }

  elapsedNs() {
    return this.clock.now() - this.began_ns;
  }

  /** Never in a timed region. */
  async tick() {
    const clock_ns = this.elapsedNs();
    const second_ns = (Date.now() - this.second_began_ms) * 1e6;
    if (clock_ns - this.ticked_ns < this.stretch_ns / TICKS) return;
    this.ticked_ns = clock_ns;
    await this.emit({ event: 'note', kind: 'progress', text: 'clocks', data: { clock_ns, second_ns } });
    await this.flush();
    await pause(0); // so that messages leave, and come, also where the work itself never waits
  }

  async flush() {
    for (const phase of /** @type {const} */ (['repeated', 'varied'])) {
      const durations_ns = this.pending[phase];
      if (durations_ns.length === 0) continue;
      this.pending[phase] = [];
      await this.emit({ event: 'samples', phase, clock: this.clock.name, runs_per_sample: 1, durations_ns });
    }
  }
}

class Audit {
  /** @param {Session} session @param {Watch} watch @param {HostTensor[]} frozen */
  constructor(session, watch, frozen) {
    this.session = session;
    this.watch = watch;
    this.frozen = frozen;
    this.others = new Varied(frozen, new Draws());
    this.pairs = 0;
    this.compared = 0;
    this.same = 0;
    /** @type {string | null} */
    this.no_others = null;
    if (session.give === undefined) this.no_others = NO_OTHERS;
    else if (this.others.names.length === 0) this.no_others = NONE_VARY;
    /** @type {Uint8Array[]} */
    this.answer = [];
  }

  async warm() {
    for (let run = 0; run < WARM; run += 1) await this.run(this.frozen);
    this.answer = await this.bytes();
  }

  /** One run on these inputs, in nanoseconds. @param {HostTensor[]} inputs */
  async run(inputs) {
    const taken = await this.timed(inputs);
    await this.watch.tick();
    return taken;
  }

  /** @param {HostTensor[]} inputs */
  async timed(inputs) {
    const { session, watch: { clock } } = this;
    session.give?.(inputs);
    session.dropOutputs();
    const began = clock.now();
    await session.run();
    return clock.now() - began;
  }

  /** @param {number} limit_ns */
  enough(limit_ns) {
    const elapsed_ns = this.watch.elapsedNs();
    if (this.pairs >= ENOUGH_PAIRS && elapsed_ns >= this.watch.stretch_ns) return true;
    return this.pairs >= MOST_PAIRS || elapsed_ns >= limit_ns;
  }

  /** Both of a pair, in a drawn order; the frozen inputs alone where there are no others. */
  async pair() {
    this.pairs += 1;
    const drawn = this.drawn();
    const frozenFirst = drawn === null || this.others.draws.below(2) === 0;
    if (frozenFirst) await this.repeat();
    if (drawn !== null) await this.vary(drawn);
    if (!frozenFirst) await this.repeat();
  }

  /** @returns {{before: HostTensor[], timed: HostTensor[]} | null} */
  drawn() {
    if (this.no_others !== null) return null;
    const before = this.others.next();
    const timed = this.others.next();
    if (before !== null && timed !== null) return { before, timed };
    this.no_others = NO_MORE;
    return null;
  }

  async repeat() {
    await this.timed(this.frozen);
    this.watch.pending.repeated.push(await this.timed(this.frozen));
    await this.watch.tick();
  }

  /**
   * Both are new, as what is repeated has been there twice: a memory of one answer is no help here.
   * @param {{before: HostTensor[], timed: HostTensor[]}} drawn
   */
  async vary({ before, timed }) {
    try {
      await this.timed(before);
      this.watch.pending.varied.push(await this.timed(timed));
    } catch (error) { // whatever a runtime throws for inputs that our rule should not have made
      this.no_others = `the varied inputs were refused: ${wordsOf(error)}`;
      return;
    }
    if (this.compared < MOST_COMPARED) {
      this.compared += 1;
      if (isSame(await this.bytes(), this.answer)) this.same += 1;
    }
    await this.watch.tick();
  }

  /** Copies, since an output is valid until the next run. */
  async bytes() {
    return (await this.session.outputs()).map(({ bytes }) => bytes.slice());
  }
}

/** @param {Uint8Array[]} one @param {Uint8Array[]} other */
function isSame(one, other) {
  return one.length === other.length && one.every((bytes, index) => (
    bytes.length === other[index].length && bytes.every((byte, at) => byte === other[index][at])
  ));
}
