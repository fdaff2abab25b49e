/**
 * Everything that can go wrong in a page, on demand, for tests: `--option fault=NAME` (see `faults.js`) and
 * `--option at=prepare|load|run|outputs`, where it happens once; without a fault it is `noop_web`. With `--option
 * leak_mb=N` each session leaves so much behind.
 */

import { FAULTS } from './faults.js';
import { openSession as openNoop } from '../noop_web/backend.js';

// In the loop, not before it: by then there are samples that could be lost or said twice.
const RUN_OF_FAULT = 5;
/** @type {Uint8Array[]} */
const left = [];

/**
 * @param {import('../seam.js').Opening} opening
 * @returns {Promise<import('../seam.js').Session>}
 */
export async function openSession(opening) {
  const { fault, at = 'run', leak_mb } = opening.message.case.options;
  if (leak_mb !== undefined) left.push(new Uint8Array(Number(leak_mb) * 1e6).fill(1));
  const sound = await openNoop(opening);
  if (fault === undefined) return sound;
  const happen = FAULTS[String(fault)];
  if (happen === undefined) throw new Error(`there is no fault named ${fault}`);
  let runs = 0;
  /** @param {string} place */
  const come = async (place) => { if (at === place) await happen(opening); };
  return {
    ...sound,
    async prepare() {
      await come('prepare');
      return sound.prepare();
    },
    async load() {
      await come('load');
      return sound.load();
    },
    async run() {
      runs += 1;
      if (runs === RUN_OF_FAULT) await come('run');
      await sound.run();
    },
    async outputs() {
      await come('outputs');
      const made = await sound.outputs();
      if (fault === 'short_outputs') return made.map((tensor) => ({ ...tensor, bytes: tensor.bytes.subarray(0, -1) }));
      if (fault === 'long_outputs') return made.map((tensor) => ({ ...tensor, bytes: twice(tensor.bytes) }));
      return made;
    },
  };
}

/** @param {Uint8Array} bytes */
function twice(bytes) {
  const both = new Uint8Array(2 * bytes.length);
  both.set(bytes);
  both.set(bytes, bytes.length);
  return both;
}
