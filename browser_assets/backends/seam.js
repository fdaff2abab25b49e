/**
 * The seam between the Round's story (`run.js`) and a page backend: ONE FOLDER in `backends/` = ONE BACKEND.
 *
 * Such a folder has `backend.json` (the conductor reads it; it names platforms, devices and the runtime's file) and
 * `backend.js` with one function, `openSession(opening) → Promise<Session>`. Twin of `native/seam.py`.
 *
 * @typedef {import('../protocol').CaseMessage} CaseMessage
 * @typedef {import('../protocol').PlatformOffer} PlatformOffer
 * @typedef {import('../gpu/clocks.js').GpuWork} GpuWork
 *
 * @typedef {object} Opening
 * @property {CaseMessage} message
 * @property {PlatformOffer} offer what `backend.json` says of the Case's platform
 * @property {Record<string, any>} provenance what `probe.js` found, for refusing with the browser's own words
 * @property {(code: string, reason: string) => void} fail ends the Round at once, for what arrives by itself (a lost
 *   device)
 *
 * @typedef {object} HostTensor
 * @property {string} name
 * @property {string} dtype numpy's name
 * @property {readonly number[]} shape
 * @property {Uint8Array} bytes little-endian, row-major; valid until the next run
 *
 * @typedef {object} OperatorTime as `Operator` in `harness/core/events.py`
 * @property {string} operator the runtime's own name of its type
 * @property {string} device execution provider, as the runtime names it
 * @property {number} count calls in all profiled runs together
 * @property {number} self_ns without what it called
 * @property {boolean} fallback it ran elsewhere than on the device that was asked for
 *
 * @typedef {object} Profiled what the runtime's own profiler saw
 * @property {string} source the profiler, in words: also by which clock, and what it does not see
 * @property {number[]} durations_ns of each profiled run
 * @property {OperatorTime[]} operators
 *
 * @typedef {object} Session one model on one device. The order of calls: prepare, load, known, (dropOutputs, run) × n,
 *   outputs, placement, close; in a Round that profiles, profile once instead of placement, and runs after
 *   it; in one that audits, give and runs before the last outputs
 * @property {Record<string, string>} runtime package → version really loaded
 * @property {string} clock what `run` waits for, as `Samples.clock` names it: performance_now where the work is done
 *   on the CPU, await where a device is waited for until the outputs can be read
 * @property {() => Promise<Record<string, unknown>>} prepare fetches; gives the phase's detail, such as {bytes}. Throws
 *   Unsupported where this browser cannot do what the Case asks
 * @property {() => Promise<void>} load creates the session
 * @property {() => Promise<Record<string, unknown>>} known provenance that is known only once it is loaded, such as
 *   {threads}; never timed
 * @property {() => void | Promise<void>} run one inference, until its outputs are there to be read: what is timed
 * @property {(inputs: HostTensor[]) => void} [give] other inputs, for the runs from here on, where it takes tensors: by
 *   the Artifact's names, dtypes and shapes, each with a buffer of its own; never timed
 * @property {() => void} dropOutputs frees the latest run's outputs; never timed
 * @property {() => HostTensor[] | Promise<HostTensor[]>} outputs of the latest run, in the order to be judged
 * @property {(() => Promise<GpuWork>) | undefined} [gpu] the same run without waiting for it, where a GPU computes and
 *   offers that; after the timing, for the clocks that are not the loop's. Throws what the runtime says against it
 * @property {() => {run: () => Promise<Record<string, number>>}} [parts] the same run with marks inside, where there is
 *   more to it than a graph: part → milliseconds, which together are the run; after the timing
 * @property {() => Promise<Record<string, unknown>>} placement {providers, fallbacks, fallback_share}; may end the
 *   session that was timed
 * @property {(runs: number) => Promise<Profiled>} profile so many runs under the runtime's own profiler, warmed up; in a
 *   session of its own, where it has to be told at the beginning, and then the timed one is there again. Throws
 *   Unsupported where there is no profiler
 * @property {() => Promise<void>} close
 */

/** Runs of each session, before those that a Round which profiles counts. */
export const WARM_BEFORE_PROFILE = 5;

/** This browser or runtime cannot do it: an outcome. The message is the reason, in the words of whoever said no. */
export class Unsupported extends Error {}

/** The Round has failed; `code` is for programs, the message in the runtime's words. */
export class RoundFailed extends Error {
  /** @param {string} code @param {string} reason */
  constructor(code, reason) {
    super(reason);
    this.code = code;
  }
}

/**
 * What was thrown, in its own words; a wasm runtime may throw a bare number.
 * @param {unknown} error
 * @returns {string}
 */
export function wordsOf(error) {
  if (error instanceof Error) {
    const named = error.name === 'Error' || error.message.startsWith(error.name);
    return named ? error.message : `${error.name}: ${error.message}`;
  }
  return String(error);
}

// The same words as `harness/core/wording.py` reads.
const OUT_OF_MEMORY = new RegExp('out of memory|bad[ _]alloc|allocation failed|failed to allocate|memoryerror'
  + "|(can't|cannot|could not|unable to) allocate", 'i');
// A runtime that says plainly that it cannot has not broken; as it says so: an operator that has no kernel, a type that
// the device has no unit for, WebNN's own refusals.
const NOT_OFFERED = new RegExp('not[ _]?implemented|could not find an implementation|not supported|does not support'
  + '|NotSupportedError', 'i');
// The same words of who is merely wrong; twin of `_NO_REFUSAL`.
const OURS = /not supported between instances|operation not supported|cannot unpack/i;
const DEVICE_LOST = /device (is |was )?lost|lost device|context (is |was )?lost|instance reference no longer exists/i;

/**
 * What was thrown as the Round's outcome; `code` is for what is not known better by its words.
 * @param {string} code
 * @param {unknown} error
 * @param {string} platform whose device it is that was lost: WebNN computes through WebGPU's words in places
 * @returns {RoundFailed | Unsupported}
 */
export function asOutcome(code, error, platform) {
  if (error instanceof RoundFailed || error instanceof Unsupported) return error;
  const reason = wordsOf(error);
  if (OUT_OF_MEMORY.test(reason)) return new RoundFailed('out_of_memory', reason);
  if (DEVICE_LOST.test(reason)) return new RoundFailed(platform === 'webnn' ? 'webnn_lost' : 'webgpu_lost', reason);
  if (NOT_OFFERED.test(reason) && !OURS.test(reason)) return new Unsupported(reason);
  return new RoundFailed(code, reason);
}

/**
 * One run as a Round that profiles times it, in whole nanoseconds.
 * @param {Session} session
 */
export async function timedRunNs(session) {
  session.dropOutputs();
  const began = performance.now();
  await session.run();
  return Math.round((performance.now() - began) * 1e6);
}

// Precisions that compute in 16 bits; what WGSL has only where the adapter offers it.
export const HALVES = ['fp16', 'q4f16'];

/**
 * Throws Unsupported where the probe did not find the platform, in the browser's words, or not what the precision needs.
 * @param {{platform: string, device: string, precision: string}} asked
 * @param {Opening['provenance']} provenance
 */
export function refuseWhatIsAbsent({ platform, device, precision }, { webgpu, webnn }) {
  if (platform === 'webgpu' && !webgpu.available) throw new Unsupported(webgpu.reason);
  if (platform === 'webgpu' && HALVES.includes(precision) && !webgpu.features.includes('shader-f16')) {
    throw new Unsupported(`the adapter has no shader-f16, which ${precision} needs`);
  }
  if (platform !== 'webnn') return;
  if (!webnn.present) throw new Unsupported(webnn.reason);
  if (!webnn.contexts[device].ok) throw new Unsupported(webnn.contexts[device].reason);
}

/**
 * The bytes of a file of the Artifact. Throws RoundFailed `load_failed` when the server does not give it, RangeError
 * where the browser has no room for them.
 *
 * Read piece by piece into memory that is asked for first: where there is no room for a large file, Chromium's
 * `arrayBuffer()` of a response says "Failed to fetch", as if the network had been at fault.
 * @param {CaseMessage} message
 * @param {string} file relative to the Artifact's folder
 * @returns {Promise<ArrayBuffer>}
 */
export async function fetchFile(message, file) {
  const path = file.split('/').map(encodeURIComponent).join('/');
  const response = await fetch(message.base + path);
  if (!response.ok) throw new RoundFailed('load_failed', `${file}: ${response.status} ${response.statusText}`);
  const whole = new Uint8Array(Number(response.headers.get('content-length')));
  let at = 0;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (at + part.value.length > whole.length) throw new RoundFailed('load_failed', `${file}: more bytes than was said`);
    whole.set(part.value, at);
    at += part.value.length;
  }
  if (at !== whole.length) throw new RoundFailed('load_failed', `${file}: ${at} bytes of ${whole.length}`);
  return whole.buffer;
}
