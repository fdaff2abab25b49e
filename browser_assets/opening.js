/**
 * What comes before a Round's first phase: what is knowable of the page for this Case, and the backend's session.
 *
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./backends/seam.js').Opening} Opening
 * @typedef {import('./backends/seam.js').Session} Session
 */

import { Unsupported } from './backends/seam.js';
import { countGpuBuffers } from './gpu/buffers.js';
import { probePage, probeWebGpu, probeWebNn } from './probe.js';

/** Only what the Case's platform needs: a GPU that is asked for wakes up. @param {CaseMessage} message */
export async function probeFor({ case: { platform, device } }) {
  /** @type {Record<string, unknown>} */
  const found = probePage();
  if (platform === 'webgpu') {
    countGpuBuffers();
    const webgpu = await probeWebGpu();
    Object.assign(found, { webgpu, software: softwareOf(webgpu) });
  }
  if (platform === 'webnn') found.webnn = await probeWebNn([device]);
  return found;
}

/** @param {Awaited<ReturnType<typeof probeWebGpu>>} webgpu @returns {boolean | null} */
export function softwareOf(webgpu) {
  return 'software' in webgpu ? webgpu.software : null;
}

/**
 * The folder of a page backend has its name.
 * @param {CaseMessage} message
 * @param {Record<string, unknown>} provenance
 * @param {Opening['fail']} fail
 * @returns {Promise<Session>}
 */
export async function openSession(message, provenance, fail) {
  const { backend, platform } = message.case;
  const folder = new URL(`./backends/${encodeURIComponent(backend)}/`, import.meta.url);
  const answer = await fetch(new URL('backend.json', folder));
  if (!answer.ok) throw new Unsupported(`the page has no backend named ${backend}`);
  /** @type {import('./protocol').Backend} */
  const described = await answer.json();
  const offer = described.platforms[platform];
  if (offer === undefined) throw new Unsupported(`${backend} does not offer ${platform}`);
  const backendModule = await import(new URL('backend.js', folder).href);
  return backendModule.openSession({ message, offer, provenance, fail });
}
