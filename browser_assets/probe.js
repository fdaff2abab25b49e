/**
 * What is knowable about this page, its clock and its devices. Nothing is concluded from a name but `software`.
 */

import { wordsOf } from './backends/seam.js';

const PATIENCE_MS = 10_000;
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b|\bcpu\b/i;
// The smallest modules that use a vector, and an atomic on shared memory.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const ATOMICS = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11,
];

/** Isolation, clock, machine as the browser tells it. `hardware_concurrency` is not the truth in every browser. */
export function probePage() {
  return {
    isolated: globalThis.crossOriginIsolated === true,
    shared_array_buffer: typeof SharedArrayBuffer !== 'undefined',
    clock_step_ns: measureStepNs(() => performance.now()),
    visibility: document.visibilityState,
    navigation: /** @type {any} */ (performance.getEntriesByType('navigation')[0])?.type ?? null,
    rehearsal: sessionStorage.getItem('rehearsal'),
    user_agent: navigator.userAgent,
    hardware_concurrency: navigator.hardwareConcurrency ?? null,
    device_memory_gb: /** @type {any} */ (navigator).deviceMemory ?? null,
    wasm: { simd: WebAssembly.validate(new Uint8Array(SIMD)), threads: hasThreads() },
  };
}

/** @returns {boolean} */
function hasThreads() {
  const shared = globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer !== 'undefined';
  return shared && WebAssembly.validate(new Uint8Array(ATOMICS));
}

/**
 * The smallest difference between readings that differ, in whole nanoseconds; reads for at most about 60 ms.
 * @param {() => number} nowMs
 * @returns {number} at least 1
 */
export function measureStepNs(nowMs) {
  const began = nowMs();
  let earlier = began;
  let smallest = Infinity;
  for (let changes = 0; changes < 100 && earlier - began < 60; ) {
    const later = nowMs();
    if (later > earlier) {
      smallest = Math.min(smallest, later - earlier);
      earlier = later;
      changes += 1;
    }
  }
  return Math.max(1, Math.round(smallest * 1e6));
}

/** The WebGPU adapter, or the reason there is none, in the browser's words. */
export async function probeWebGpu() {
  if (!navigator.gpu) return { available: false, reason: 'navigator.gpu is not there' };
  try {
    const adapter = await withPatience(navigator.gpu.requestAdapter(), 'navigator.gpu.requestAdapter');
    return adapter ? describeAdapter(adapter) : { available: false, reason: 'navigator.gpu.requestAdapter gave null' };
  } catch (error) {
    return { available: false, reason: wordsOf(error) };
  }
}

/** @param {GPUAdapter} adapter */
function describeAdapter(adapter) {
  const { vendor = '', architecture = '', device = '', description = '' } = adapter.info ?? {};
  // Older browsers keep it on the adapter.
  const fallback = adapter.info?.isFallbackAdapter ?? /** @type {any} */ (adapter).isFallbackAdapter ?? null;
  /** @type {Record<string, number>} */
  const limits = {};
  for (const name in adapter.limits) {
    const limit = /** @type {any} */ (adapter.limits)[name];
    if (typeof limit === 'number') limits[name] = limit;
  }
  return {
    available: true,
    adapter: { vendor, architecture, device, description },
    is_fallback_adapter: fallback,
    software: fallback === true || SOFTWARE.test([vendor, architecture, device, description].join(' ')),
    features: Array.from(adapter.features).sort(),
    limits,
  };
}

/**
 * Whether WebNN gives a context for each device type; which device it then uses, it does not say: the type is a hint.
 * @param {string[]} deviceTypes
 */
export async function probeWebNn(deviceTypes) {
  const { ml } = /** @type {any} */ (navigator);
  if (!ml) return { present: false, reason: 'navigator.ml is not there' };
  /** @type {Record<string, {ok: boolean, reason?: string}>} */
  const contexts = {};
  for (const deviceType of deviceTypes) {
    try {
      const context = await withPatience(ml.createContext({ deviceType }), 'navigator.ml.createContext');
      context.destroy?.();
      contexts[deviceType] = { ok: true };
    } catch (error) {
      contexts[deviceType] = { ok: false, reason: wordsOf(error) };
    }
  }
  return { present: true, contexts };
}

/**
 * A driver that hangs must not hang the probe.
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
async function withPatience(promise, what) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} gave no answer within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}
