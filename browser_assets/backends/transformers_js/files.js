/**
 * Where transformers.js finds the Artifact's files. It looks for `MODEL/config.json`, `MODEL/tokenizer.json` … and
 * `MODEL/SUBFOLDER/model.onnx`; in an Artifact the first lie in `hf/`, and the graph beside it in `onnx/PRECISION/`. So
 * the model is `hf`, and the subfolder a path that leads out of it; the graph's external data, which transformers.js
 * would expect under the name `model.onnx_data`, is named in the session's options.
 *
 * Everything is fetched before and given from here, so that `prepare` is the fetching and `load` is not, as in the other
 * backends; and so nothing can be fetched from anywhere else.
 */

import { RoundFailed, fetchFile } from '../seam.js';

/** What a pipeline reads besides the graph; a model has some of them. */
const READ = /^(config|generation_config|tokenizer|tokenizer_config|preprocessor_config|processor_config)\.json$/;

/**
 * @typedef {import('../seam.js').CaseMessage} CaseMessage
 *
 * @typedef {object} ModelFiles
 * @property {number} bytes
 * @property {(url: unknown) => Promise<Response>} fetch as transformers.js' `env.fetch`
 * @property {string} root the folder that holds the model's, a path of this server
 * @property {string} model the model's name: its folder
 * @property {{subfolder: string, model_file_name: string}} options
 * @property {{path: string, data: string}[]} external for the session's options; a string is fetched by transformers.js
 */

const LARGE_BYTES = 10_000_000;

/** @param {CaseMessage} message @returns {Promise<ModelFiles>} */
export async function fetchModel(message) {
  const { artifact, case: { precision } } = message;
  const graph = artifact.onnx[precision];
  if (graph === undefined || artifact.hf === null) throw new RoundFailed('load_failed', `no model with a ${precision} graph`);
  const folder = artifact.hf;
  const beside = artifact.files.map((file) => file.path)
    .filter((path) => path.startsWith(`${folder}/`) && READ.test(path.slice(folder.length + 1)));
  /** @type {Map<string, ArrayBuffer>} */
  const held = new Map();
  for (const path of [...beside, graph.file, ...graph.external]) held.set(path, await fetchFile(message, path));
  const root = new URL(message.base, location.href);
  const up = '../'.repeat(folder.split('/').length);
  const [name, ...rest] = graph.file.split('/').reverse();
  const bytes = [...held.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    bytes,
    fetch: async (url) => {
      const path = decodeURIComponent(new URL(String(url), root).href.slice(root.href.length));
      const file = held.get(path);
      // Large ones are asked for once; a copy of them would count against the page's memory while it is timed.
      if (file !== undefined && file.byteLength > LARGE_BYTES) held.delete(path);
      return file === undefined ? new Response(null, { status: 404 }) : new Response(file);
    },
    root: root.pathname,
    model: folder,
    options: { subfolder: up + rest.reverse().join('/'), model_file_name: name.replace(/\.onnx$/, '') },
    external: graph.external.map((path) => ({ path: path.slice(graph.file.length - name.length), data: up + path })),
  };
}
