/**
 * What can go wrong in a page, by name. Each is the thing itself, not a message about it.
 *
 * @typedef {import('../seam.js').Opening} Opening
 * @typedef {(opening: Opening) => unknown} Fault
 */

import { RoundFailed } from '../seam.js';

const FOR_EVER = new Promise(() => {});
const MEGABYTE = 1024 * 1024;

/** The page's line, seen when something is next said over it. @returns {Promise<WebSocket>} */
function theLink() {
  const { send } = WebSocket.prototype;
  return new Promise((found) => {
    /** @param {Parameters<typeof send>[0]} data */
    WebSocket.prototype.send = function (data) {
      WebSocket.prototype.send = send;
      send.call(this, data);
      found(this);
    };
  });
}

/** @param {string | Uint8Array<ArrayBuffer>} data */
const sendRaw = (data) => { theLink().then((socket) => socket.send(data)); };

/** Hold a device, and say so when it is lost. @param {Opening} opening */
async function useWebGpu({ fail }) {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new RoundFailed('load_failed', 'there is no adapter');
  const device = await adapter.requestDevice();
  device.lost.then(({ reason, message }) => fail('webgpu_lost', `${reason}: ${message}`));
  return device;
}

/** @param {Opening} opening */
async function useWebNn({ fail }) {
  const context = await /** @type {any} */ (navigator).ml.createContext({ deviceType: 'cpu' });
  context.lost.then((/** @type {{message: string}} */ { message }) => fail('webnn_lost', message));
  return context;
}

/** @param {string} text */
function offerDownload(text) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text]));
  link.download = 'unwanted.bin';
  link.click();
}

/** @type {Record<string, Fault>} */
export const FAULTS = {
  // The script gets nowhere.
  hang: () => { while (true); },
  silent: () => FOR_EVER,
  // What nobody caught.
  timer_error: () => { setTimeout(() => { throw new Error('stray'); }, 0); return FOR_EVER; },
  rejection: () => { Promise.reject(new Error('nobody cares')); return FOR_EVER; },
  // The page goes away.
  leave_blank: () => { location.href = 'about:blank'; return FOR_EVER; },
  leave_page: () => { location.href = new URL('../../run.html?other', import.meta.url).href; return FOR_EVER; },
  reload: () => { location.reload(); return FOR_EVER; },
  close: () => window.close(),
  // What asks a person.
  alert: () => alert('look at me'),
  confirm: () => confirm('really?'),
  prompt: () => prompt('name?'),
  before_unload: () => { addEventListener('beforeunload', (event) => { event.preventDefault(); }); },
  download: () => offerDownload('x'.repeat(MEGABYTE)),
  popup: () => { window.open(new URL('../../run.html', import.meta.url), '_blank', 'popup'); },
  // The console.
  console_flood: () => { for (let i = 0; i < 400; i += 1) console.error(`${i} `.padEnd(MEGABYTE / 10, 'x')); },
  console_long: () => console.error('y'.repeat(10 * MEGABYTE)),
  // The line.
  cut: () => { theLink().then((socket) => socket.close()); },
  cut_for_good: () => {
    theLink().then((socket) => {
      globalThis.WebSocket = /** @type {any} */ (class extends EventTarget { close() {} });
      socket.close();
    });
  },
  garbage: () => sendRaw('{not json'),
  binary: () => sendRaw(new Uint8Array([1, 2, 3])),
  giant: () => sendRaw('z'.repeat(2 * MEGABYTE)),
  undelivered: () => {
    const { fetch } = globalThis;
    globalThis.fetch = async (...words) => words[1]?.method === 'POST' ? new Response(null) : fetch(...words);
  },
  // See `backend.js`.
  short_outputs: () => {},
  long_outputs: () => {},
  // Devices.
  use_webgpu: useWebGpu,
  lost_webgpu: async (opening) => (await useWebGpu(opening)).destroy(),
  use_webnn: useWebNn,
  lost_webnn: async (opening) => (await useWebNn(opening)).destroy(),
  // Memory: what the engine refuses, and what it does not survive.
  memory_refused: () => new ArrayBuffer(2 ** 34),
  memory_wasm: () => { for (const all = [];;) all.push(new WebAssembly.Memory({ initial: 65536 })); },
  memory_heap: () => { for (const all = [];;) all.push(new Array(100_000).fill({})); },
};

