/**
 * What a page can tell of memory, each source by its name; they are never added up.
 */

import { gpuBuffers } from './gpu/buffers.js';

const PATIENCE_MS = 2_000;
const WARM_LOADS = 2;
const SETTLES_MS = 300;

/**
 * `gpu_buffers_peak` and `gpu_buffers` (bytes that are alive) where a GPU computes; `user_agent_specific` (JavaScript's
 * and wasm's heaps) where the browser tells it in time.
 * @returns {Promise<Record<string, number>>}
 */
export async function memoryOfPage() {
  const { live_bytes, peak_bytes } = gpuBuffers;
  const heaps = await userAgentSpecific();
  return {
    ...(peak_bytes > 0 ? { gpu_buffers: live_bytes, gpu_buffers_peak: peak_bytes } : {}),
    ...(heaps === null ? {} : { user_agent_specific: heaps }),
  };
}

/** @returns {Promise<number | null>} */
async function userAgentSpecific() {
  /** @type {{measureUserAgentSpecificMemory?: () => Promise<{bytes: number}>}} */
  const told = /** @type {any} */ (performance);
  if (!told.measureUserAgentSpecificMemory) return null;
  const late = new Promise((resolve) => { setTimeout(() => resolve(null), PATIENCE_MS); });
  const asked = told.measureUserAgentSpecificMemory().then(({ bytes }) => bytes).catch(() => null);
  return Promise.race([asked, /** @type {Promise<null>} */ (late)]);
}

/**
 * Loads and disposals, so many; what is still held after each of them. The first few fill what is kept on purpose
 * (caches, compiled code), and are not counted.
 * @param {number} times
 * @param {() => Promise<void>} loadAndDispose
 * @param {(name: 'leak_before' | 'leak_after') => void} mark the conductor then reads the processes' memory
 */
export async function checkLeaks(times, loadAndDispose, mark) {
  for (let i = 0; i < WARM_LOADS; i += 1) await loadAndDispose();
  await settled();
  mark('leak_before');
  await settled();
  const held = [await memoryOfPage()];
  for (let i = 0; i < times; i += 1) {
    await loadAndDispose();
    held.push(await memoryOfPage());
  }
  await settled();
  mark('leak_after');
  await settled();
  return { loads: times, held };
}

function settled() {
  return new Promise((resolve) => { setTimeout(resolve, SETTLES_MS); });
}
