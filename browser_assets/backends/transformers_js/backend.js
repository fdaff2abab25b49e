/**
 * transformers.js as users run it: a pipeline from the Artifact's folder, raw texts or images in, its answer out.
 *
 * The file is the one that a page without a build step loads from a package's copy: `transformers.min.js`, which holds
 * ONNX Runtime's JavaScript (its WebGPU build; `transformers.web.js` is for bundlers and imports that by name). What of
 * ONNX Runtime is wasm it loads from a CDN by default: the same files of the same version, which npm has put beside it,
 * are served here. Every platform uses the same ones (`asyncify`), wasm too.
 *
 * @typedef {typeof import('@huggingface/transformers')} Library
 * @typedef {import('../seam.js').Opening} Opening
 * @typedef {import('../seam.js').Session} Session
 * @typedef {import('./pipelines.js').Kind} Kind
 */

import { fetchModel } from './files.js';
import { KINDS } from './pipelines.js';
import { RoundFailed, Unsupported, refuseWhatIsAbsent, wordsOf } from '../seam.js';
import { measureWaitFloorNs } from '../../gpu/wait_floor.js';

const PACKAGE = new URL('../../node_modules/@huggingface/transformers/', import.meta.url).href;
const BUNDLE = 'dist/transformers.min.js';
const WASM = `${PACKAGE}node_modules/onnxruntime-web/dist/`;

/**
 * Loads the library; throws RoundFailed `load_failed` when it cannot.
 * @param {Opening} opening
 * @returns {Promise<Session>}
 */
export async function openSession(opening) {
  const { threads } = opening.message.case;
  const library = await loadLibrary();
  const { env } = library;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  // Fetching is a phase of its own (`prepare_ms`), and a Round's profile is fresh: nothing to find in these caches.
  env.useBrowserCache = false;
  env.useWasmCache = false;
  const wasm = /** @type {Record<string, unknown>} */ (env.backends.onnx.wasm);
  const file = WASM + opening.offer.bundle;
  wasm.wasmPaths = { mjs: `${file}.mjs`, wasm: `${file}.wasm` };
  wasm.numThreads = threads;
  return new PipelineSession(library, opening);
}

/** @returns {Promise<Library>} */
async function loadLibrary() {
  try {
    return await import(PACKAGE + BUNDLE);
  } catch (error) {
    throw new RoundFailed('load_failed', `${BUNDLE}: ${wordsOf(error)}`);
  }
}

/** @implements {Session} */
class PipelineSession {
  /** @param {Library} library @param {Opening} opening */
  constructor(library, opening) {
    this.library = library;
    this.opening = opening;
    this.message = opening.message;
    const { platform } = opening.message.case;
    this.platform = platform;
    /** @type {any} */
    this.onnx = library.env.backends.onnx;
    this.runtime = { '@huggingface/transformers': library.env.version, 'onnxruntime-web': this.onnx.versions?.web ?? 'unknown' };
    this.clock = platform === 'wasm' ? 'performance_now' : 'await';
    /** @type {any} */
    this.pipe = undefined;
    /** @type {any} as the pipeline made it */
    this.tokenizer = undefined;
    /** @type {unknown} */
    this.given = undefined;
    /** @type {unknown} */
    this.answer = undefined;
    /** @type {Awaited<ReturnType<typeof fetchModel>> | undefined} */
    this.files = undefined;
  }

  get call() {
    const { pipeline, notes } = this.message.artifact;
    const why = notes.find((note) => note.startsWith('no pipeline')) ?? 'no pipeline: the Artifact holds none';
    if (pipeline === null) throw new Unsupported(why);
    return pipeline;
  }

  async prepare() {
    refuse(this.opening, this.runtime);
    const { call } = this;
    this.given = await KINDS[call.task].given(this.library, this.message, call);
    this.files = await fetchModel(this.message);
    return { bytes: this.files.bytes };
  }

  async load() {
    const { files, call } = this;
    if (files === undefined) throw new RoundFailed('load_failed', 'load before prepare');
    const { env } = this.library;
    env.localModelPath = files.root;
    env.fetch = files.fetch;
    const { device } = this.message.case;
    const options = {
      ...files.options,
      device: this.platform === 'webnn' ? `webnn-${device}` : this.platform,
      // Without being told it takes an 8-bit graph on wasm.
      dtype: 'fp32',
      // Shapes are static already; without this it warns that they are not.
      session_options: { externalData: files.external, ...(this.platform === 'webnn' ? { freeDimensionOverrides: {} } : {}) },
    };
    this.pipe = await this.library.pipeline(call.task, files.model, /** @type {any} */ (options));
    this.files = undefined;
    if (call.length === null) return;
    this.tokenizer = this.pipe.tokenizer;
    this.pipe.tokenizer = padding(this.tokenizer, call.length);
  }

  async known() {
    const { texts, length } = this.call;
    return {
      // Only wasm computes with these; a GPU's and WebNN's own threads are nobody's to know.
      threads: this.platform === 'wasm' ? this.onnx.wasm.numThreads : null,
      threads_asked: this.message.case.threads,
      // It cuts off a text's closing token with the rest, where transformers keeps it: then the answers differ.
      ...whatIsCut(this.tokenizer, texts, length),
      runtime_files: { library: BUNDLE, wasm: `${this.opening.offer.bundle}.wasm` },
      ...(this.platform === 'webgpu' ? await this.watchDevice() : {}),
    };
  }

  async run() {
    const { settings } = KINDS[this.call.task];
    this.answer = await this.pipe(this.given, settings);
  }

  dropOutputs() {
    this.answer = undefined;
  }

  async outputs() {
    const { id2label } = this.pipe.model.config;
    const labels = Object.entries(id2label ?? {}).sort(([a], [b]) => Number(a) - Number(b)).map(([, label]) => String(label));
    return [KINDS[this.call.task].tensor(this.answer, labels)];
  }

  /**
   * The same run with a mark on either side of the model's call. What is before it is reading (tokeniser, or image
   * processor), what is behind it is pooling or ranking; together they are the run.
   */
  parts() {
    const { model } = this.pipe;
    const at = { infer: 0, done: 0 };
    const marked = new Proxy(model, {
      apply: async (target, self, args) => {
        at.infer = performance.now();
        const outputs = await Reflect.apply(target, self, args);
        at.done = performance.now();
        return outputs;
      },
    });
    return {
      run: async () => {
        this.pipe.model = marked;
        const began = performance.now();
        await this.run();
        const ended = performance.now();
        this.pipe.model = model;
        return { preprocess: at.infer - began, infer: at.done - at.infer, postprocess: ended - at.done };
      },
    };
  }

  /** Its session's log is not to be had through the library, and a session of our own would not be its. */
  async placement() {
    const reason = 'transformers.js does not say where its nodes ran';
    return { providers: null, fallbacks: [], fallback_share: null, reason };
  }

  /** @returns {Promise<never>} */
  async profile() {
    throw new Unsupported('transformers.js has no profiler of its own');
  }

  async close() {
    const { pipe } = this;
    this.pipe = undefined;
    this.answer = undefined;
    await pipe?.dispose();
  }

  /** The device that the runtime really uses, and what waiting for it costs; says so when it is lost. */
  async watchDevice() {
    const { pipe } = this;
    try {
      /** @type {GPUDevice} */
      const device = await this.onnx.webgpu.device;
      device.lost.then(({ reason, message }) => {
        // The runtime destroys it when its session is released, and that is no loss.
        if (reason !== 'destroyed' || this.pipe === pipe) this.opening.fail('webgpu_lost', message || reason);
      });
      const { vendor, architecture, device: model, description } = device.adapterInfo;
      const wait_floor_ns = await measureWaitFloorNs(device, () => performance.now(), 'host').catch(() => null);
      return { webgpu_device: { vendor, architecture, device: model, description }, wait_floor_ns };
    } catch (error) {
      return { webgpu_device: { reason: wordsOf(error) } };
    }
  }
}

/**
 * Pipelines pad a batch to its longest text. The graph's shapes are static, since WebNN needs that, and every backend
 * is to do the same work: so here they pad to the Artifact's length.
 * @param {any} tokenizer @param {number} length
 */
function padding(tokenizer, length) {
  return new Proxy(tokenizer, {
    apply: (target, self, [texts, options]) =>
      Reflect.apply(target, self, [texts, { ...options, padding: 'max_length', truncation: true, max_length: length }]),
  });
}

/** How many texts have more tokens. @param {any} tokenizer @param {readonly string[]} texts @param {number | null} length */
function whatIsCut(tokenizer, texts, length) {
  if (length === null) return {};
  const { input_ids } = tokenizer([...texts], { return_tensor: false });
  const longer = input_ids.filter((/** @type {number[]} */ ids) => ids.length > length).length;
  return longer > 0 ? { texts_cut: longer } : {};
}

/** Throws Unsupported, in the words of whoever said no. @param {Opening} opening @param {Record<string, string>} runtime */
function refuse({ message, provenance }, runtime) {
  const { runtime: asked } = message.case;
  const loaded = `@huggingface/transformers@${runtime['@huggingface/transformers']}`;
  if (asked !== null && asked !== loaded) throw new Unsupported(`${asked} was asked for, ${loaded} is installed`);
  refuseWhatIsAbsent(message.case, provenance);
}
