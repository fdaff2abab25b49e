/**
 * ONNX Runtime Web on wasm, WebGPU and WebNN.
 *
 * Each platform loads the file of the package that users of that platform load: wasm through `ort.all` was up to twice
 * as slow as through `ort.wasm` and loaded twice as long; `ort.webgpu` carries the native WebGPU provider, which was about
 * a quarter faster than the older one in `ort.all`.
 *
 * @typedef {typeof import('onnxruntime-web')} Ort
 * @typedef {import('onnxruntime-web').InferenceSession} OrtSession
 * @typedef {import('onnxruntime-web').InferenceSession.SessionOptions} SessionOptions
 * @typedef {import('../seam.js').Opening} Opening
 * @typedef {import('../seam.js').Session} Session
 */

import { captureConsole } from './console_tap.js';
import { parsePlacement, unknownPlacement } from './placement.js';
import { readProfile } from './profile.js';
import { hostTensor, tensorOf, tensorOnGpu } from './tensors.js';
import {
  HALVES, RoundFailed, Unsupported, WARM_BEFORE_PROFILE, fetchFile, refuseWhatIsAbsent, timedRunNs, wordsOf,
} from '../seam.js';
import { measureWaitFloorNs } from '../../gpu/wait_floor.js';

const WASM_HAS_NO_HALVES = 'an fp16 graph, computed in fp32: ONNX Runtime puts Casts around what wasm has no kernels for';
const PINNED = new URL('../../node_modules/onnxruntime-web/', import.meta.url).href;

/**
 * Loads the runtime; throws RoundFailed `load_failed` when it cannot.
 * @param {Opening} opening
 * @returns {Promise<Session>}
 */
export async function openSession(opening) {
  const { runtime_base } = opening.message;
  const dist = new URL('dist/', runtime_base === null ? PINNED : new URL(runtime_base, location.href)).href;
  const ort = await loadRuntime(dist + (opening.offer.bundle ?? 'ort.min.mjs'));
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = opening.message.case.threads;
  return new OrtWebSession(ort, opening);
}

/** @param {string} address @returns {Promise<Ort>} */
async function loadRuntime(address) {
  try {
    return await import(address);
  } catch (error) {
    throw new RoundFailed('load_failed', `${address.slice(address.lastIndexOf('/') + 1)}: ${wordsOf(error)}`);
  }
}

/** @implements {Session} */
class OrtWebSession {
  /** @param {Ort} ort @param {Opening} opening */
  constructor(ort, opening) {
    this.ort = ort;
    this.opening = opening;
    this.message = opening.message;
    this.platform = opening.message.case.platform;
    this.runtime = { 'onnxruntime-web': ort.env.versions.web ?? 'unknown' };
    this.clock = this.platform === 'wasm' ? 'performance_now' : 'await';
    /** @type {Record<string, import('onnxruntime-web').Tensor>} */
    this.feeds = {};
    /** @type {import('onnxruntime-web').InferenceSession.ReturnType} */
    this.latest = {};
    this.onDevice = opening.message.case.outputs === 'device';
    /** @type {GPUDevice | undefined} */
    this.device = undefined;
    /** @type {Record<string, string> | undefined} */
    this.outputsAt = undefined;
    // Not WebNN's: 4096 unread runs of it took less time than their dispatches, so not all of them were waited for.
    this.gpu = this.platform === 'webgpu' ? () => this.unwaited() : undefined;
    /** @type {string[]} */
    this.unknownInputs = [];
    /** @type {OrtSession | undefined} */
    this.session = undefined;
    /** @type {Awaited<ReturnType<typeof fetchGraph>> | undefined} */
    this.graph = undefined;
  }

  async prepare() {
    refuse(this.opening, this.runtime);
    this.graph = await fetchGraph(this.message);
    let bytes = this.graph.bytes;
    for (const tensor of this.message.artifact.inputs) {
      const buffer = await fetchFile(this.message, tensor.file);
      bytes += buffer.byteLength;
      this.feeds[tensor.name] = tensorOf(this.ort, tensor, buffer);
    }
    return { bytes };
  }

  /** @param {SessionOptions} [more] */
  async load(more = {}) {
    if (this.graph === undefined) throw new RoundFailed('load_failed', 'load before prepare');
    const options = { ...this.options(this.graph), ...more };
    this.session = await this.ort.InferenceSession.create(this.graph.model, options);
    // The runtime has its own copy by now; a second one would count against the page's memory while it is timed.
    this.graph = undefined;
    if (this.platform === 'webgpu') this.useDevice(await this.ort.env.webgpu.device);
    const unknown = Object.keys(this.feeds).filter((name) => !this.session?.inputNames.includes(name));
    for (const name of unknown) delete this.feeds[name];
    this.unknownInputs = unknown;
  }

  async known() {
    return {
      // Only wasm computes with these; a GPU's and WebNN's own threads are nobody's to know.
      threads: this.message.case.platform === 'wasm' ? this.ort.env.wasm.numThreads : null,
      threads_asked: this.message.case.threads,
      ...(this.unknownInputs.length > 0 ? { inputs_not_in_graph: this.unknownInputs } : {}),
      ...(this.platform === 'webgpu' ? await this.knownOfDevice() : {}),
    };
  }

  /** @param {import('../seam.js').HostTensor[]} inputs */
  give(inputs) {
    for (const tensor of inputs) {
      if (tensor.name in this.feeds) this.feeds[tensor.name] = tensorOf(this.ort, tensor, tensor.bytes.buffer);
    }
  }

  async run() {
    if (this.session === undefined) throw new RoundFailed('inference_failed', 'run before load');
    this.latest = await this.session.run(this.feeds);
    // Downloading changes what a tensor says of itself: asked before, and of the first run only.
    this.outputsAt ??= Object.fromEntries(Object.entries(this.latest).map(([name, { location }]) => [name, location]));
    if (this.onDevice) await this.finished();
  }

  /** With outputs on the device a run resolves before it is done. WebNN gives no sign of that but an output's bytes. */
  async finished() {
    if (this.platform === 'webgpu') return this.device?.queue.onSubmittedWorkDone();
    const [smallest] = Object.values(this.latest).sort((a, b) => a.size - b.size);
    await smallest.getData();
  }

  dropOutputs() {
    for (const name in this.latest) this.latest[name].dispose();
    this.latest = {};
  }

  async outputs() {
    const made = this.session?.outputNames ?? [];
    const expected = this.message.artifact.expected.map((tensor) => tensor.name);
    // In the judge's order; where a name differs, all of them, so that the judge can say what is missing.
    const names = expected.every((name) => made.includes(name)) ? expected : made;
    return Promise.all(names.map((name) => hostTensor(name, this.latest[name])));
  }

  /**
   * Outputs go into buffers of ours, so that the session that was timed has nothing to wait for. Where the Case wants
   * them on the host, each run copies them to where the host could read them: all of a download but the wait.
   */
  async unwaited() {
    const { session, ort, device } = this;
    if (session === undefined || device === undefined) throw new RoundFailed('inference_failed', 'no device to ask');
    /** @type {Record<string, import('onnxruntime-web').Tensor>} */
    const kept = {};
    /** @type {{from: GPUBuffer, to: GPUBuffer}[]} */
    const readable = [];
    for (const [name, { type, dims, size, data }] of Object.entries(this.latest)) {
      if (size === 0) continue;
      kept[name] = tensorOnGpu(ort, device, { type, dims, bytes: /** @type {any} */ (data).byteLength });
      const { gpuBuffer } = kept[name];
      const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
      readable.push({ from: gpuBuffer, to: device.createBuffer({ size: gpuBuffer.size, usage }) });
    }
    const download = () => {
      const encoder = device.createCommandEncoder();
      for (const { from, to } of readable) encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
      device.queue.submit([encoder.finish()]);
    };
    const enqueue = async () => {
      await session.run(this.feeds, kept);
      if (!this.onDevice) download();
    };
    return { device, enqueue, finished: () => device.queue.onSubmittedWorkDone() };
  }

  /** Never in the session that is timed: a verbose log costs time, and the timed one's log is gone. */
  async placement() {
    const { outputsAt } = this;
    if (this.platform === 'wasm') {
      const doubted = HALVES.includes(this.message.case.precision) ? { doubts: [WASM_HAS_NO_HALVES] } : {};
      return { providers: {}, fallbacks: [], fallback_share: 0, outputs_at: outputsAt, ...doubted };
    }
    try {
      await this.close();
      const graph = await fetchGraph(this.message);
      const lines = await captureConsole(async () => {
        const options = { ...this.options(graph), logSeverityLevel: /** @type {const} */ (0) };
        this.session = await this.ort.InferenceSession.create(graph.model, options);
      });
      return { ...parsePlacement(lines), outputs_at: outputsAt };
    } catch (error) {
      return { ...unknownPlacement(wordsOf(error)), outputs_at: outputsAt };
    }
  }

  /** The profiler is there from a session's beginning to its end, and what it costs is to be in no other run. */
  async profile(/** @type {number} */ runs) {
    const all = WARM_BEFORE_PROFILE + runs;
    await this.reload({ enableProfiling: true });
    const durations_ns = [];
    for (let run = 0; run < all; run += 1) durations_ns.push(await timedRunNs(this));
    const lines = await captureConsole(async () => this.session?.endProfiling());
    await this.reload({});
    for (let run = 0; run < WARM_BEFORE_PROFILE; run += 1) await timedRunNs(this);
    const told = readProfile(lines, { platform: this.platform, runs, all });
    return { ...told, durations_ns: durations_ns.slice(WARM_BEFORE_PROFILE) };
  }

  /** @param {SessionOptions} more */
  async reload(more) {
    await this.close();
    this.graph = await fetchGraph(this.message);
    await this.load(more);
  }

  async close() {
    this.dropOutputs();
    const { session } = this;
    this.session = undefined;
    await session?.release();
  }

  /** @param {Awaited<ReturnType<typeof fetchGraph>>} graph @returns {SessionOptions} */
  options(graph) {
    const { device } = this.message.case;
    const deviceType = /** @type {'cpu' | 'gpu' | 'npu'} */ (device);
    return {
      executionProviders: [this.platform === 'webnn' ? { name: 'webnn', deviceType } : this.platform],
      ...(this.onDevice ? { preferredOutputLocation: this.platform === 'webnn' ? 'ml-tensor' : 'gpu-buffer' } : {}),
      externalData: graph.external,
    };
  }

  /** Each session has its own. Says so when it is lost. @param {GPUDevice} device */
  useDevice(device) {
    const { session } = this;
    this.device = device;
    device.lost.then(({ reason, message }) => {
      // The runtime destroys it when its session is released, and that is no loss.
      if (reason !== 'destroyed' || this.session === session) this.opening.fail('webgpu_lost', message || reason);
    });
  }

  /** The device the runtime really uses, in the adapter's words, and what waiting for it costs. */
  async knownOfDevice() {
    try {
      const device = this.device ?? (await this.ort.env.webgpu.device);
      const { vendor, architecture, device: model, description } = device.adapterInfo;
      const wait_floor_ns = await measureWaitFloorNs(device, () => performance.now(), this.message.case.outputs).catch(() => null);
      return { webgpu_device: { vendor, architecture, device: model, description }, wait_floor_ns };
    } catch (error) {
      return { webgpu_device: { reason: wordsOf(error) } };
    }
  }
}

/** Throws Unsupported, in the words of whoever said no. @param {Opening} opening @param {Record<string, string>} runtime */
function refuse({ message, provenance }, runtime) {
  const { platform, outputs, runtime: asked } = message.case;
  if (outputs === 'device' && platform === 'wasm') throw new Unsupported('wasm computes on the host: its outputs lie there');
  const loaded = `onnxruntime-web@${runtime['onnxruntime-web']}`;
  if (asked !== null && asked !== loaded) throw new Unsupported(`${asked} was asked for, ${loaded} is installed`);
  refuseWhatIsAbsent(message.case, provenance);
}

/** The graph in the Case's precision and its external data. @param {import('../seam.js').CaseMessage} message */
async function fetchGraph(message) {
  const { precision } = message.case;
  const graph = message.artifact.onnx[precision];
  if (graph === undefined) throw new RoundFailed('load_failed', `the Artifact has no ${precision} graph`);
  const folder = graph.file.slice(0, graph.file.lastIndexOf('/') + 1);
  const model = new Uint8Array(await fetchFile(message, graph.file));
  const external = [];
  let bytes = model.length;
  for (const file of graph.external) {
    const data = new Uint8Array(await fetchFile(message, file));
    bytes += data.length;
    // The graph names its data relative to itself.
    external.push({ path: file.startsWith(folder) ? file.slice(folder.length) : file, data });
  }
  return { model, external, bytes };
}
