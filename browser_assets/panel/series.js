/**
 * The samples that the panel knows of one phase in one clock: never more than a fixed number, evenly thinned.
 */

const MOST = 1024;

export class Series {
  /** @param {string} phase @param {string} clock */
  constructor(phase, clock) {
    this.phase = phase;
    this.clock = clock;
    this.n = 0;
    this.runsPerSample = 1;
    this.every = 1; // of how many samples one is kept
    this.kept = 0;
    this.values = new Float64Array(MOST);
  }

  /** @param {readonly number[]} durations_ns @param {number} runs that each of them took together */
  add(durations_ns, runs) {
    this.runsPerSample = runs;
    for (const duration_ns of durations_ns) {
      if (this.kept === MOST) this.thin();
      if (this.n % this.every === 0) {
        this.values[this.kept] = duration_ns / runs;
        this.kept += 1;
      }
      this.n += 1;
    }
  }

  /** Nanoseconds per run of what is kept, not copied. */
  get latest() {
    return this.values.subarray(0, this.kept);
  }

  /** Of what is kept; NaN where there is nothing. */
  median() {
    const ordered = this.latest.slice().sort();
    return (ordered[Math.floor((this.kept - 1) / 2)] + ordered[Math.floor(this.kept / 2)]) / 2;
  }

  thin() {
    this.kept = MOST / 2;
    for (let i = 0; i < this.kept; i += 1) this.values[i] = this.values[2 * i];
    this.every *= 2;
  }
}
