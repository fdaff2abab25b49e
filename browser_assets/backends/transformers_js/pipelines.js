/**
 * Each pipeline's way to be called and to be compared. Generation will be more of these: texts in, tokens out, and
 * phases of their own.
 *
 * @typedef {import('../../protocol').PipelineCall} PipelineCall
 * @typedef {import('../seam.js').CaseMessage} CaseMessage
 * @typedef {import('../seam.js').HostTensor} HostTensor
 * @typedef {typeof import('@huggingface/transformers')} Library
 *
 * @typedef {object} Kind
 * @property {(library: Library, message: CaseMessage, call: PipelineCall) => Promise<unknown>} given what the pipeline is
 *   called with, the same for every run
 * @property {Record<string, unknown>} settings the options it is called with
 * @property {(answer: any, labels: string[]) => HostTensor} tensor its answer, as it is judged
 */

import { RoundFailed, fetchFile } from '../seam.js';

/** As sentence-transformers has it for MiniLM, and as its page tells users of transformers.js to call it. */
const EMBEDDING = { pooling: 'mean', normalize: true };
/** All labels, where users get the best one or five: what is not told cannot be checked. */
const EVERY_LABEL = { top_k: null };

/** @type {Record<PipelineCall['task'], Kind>} */
export const KINDS = {
  'feature-extraction': { given: texts, settings: EMBEDDING, tensor: embeddings },
  'text-classification': { given: texts, settings: EVERY_LABEL, tensor: scores },
  'image-classification': { given: images, settings: EVERY_LABEL, tensor: scores },
};

/** @type {Kind['given']} */
async function texts(_library, _message, call) {
  return [...call.texts];
}

/** @type {Kind['given']} */
async function images(library, message, call) {
  return Promise.all(call.images.map(async ({ file, shape: [height, width] }) => {
    const pixels = new Uint8ClampedArray(await fetchFile(message, file));
    return new library.RawImage(pixels, width, height, 3);
  }));
}

/** @type {Kind['tensor']} */
function embeddings({ type, dims, data }) {
  if (type !== 'float32') throw new RoundFailed('inference_failed', `embeddings of type ${type}`);
  return { name: 'embeddings', dtype: type, shape: dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** Back from the best first to the order of the labels. @type {Kind['tensor']} */
function scores(answer, labels) {
  const values = new Float32Array(answer.length * labels.length);
  /** @type {Map<string, number>} */
  const places = new Map(labels.map((label, place) => [label, place]));
  for (const [row, named] of answer.entries()) {
    for (const { label, score } of named) {
      const place = places.get(label);
      if (place === undefined) throw new RoundFailed('inference_failed', `an answer with a label ${label} that the config has not`);
      values[row * labels.length + place] = score;
    }
  }
  return { name: 'scores', dtype: 'float32', shape: [answer.length, labels.length], bytes: new Uint8Array(values.buffer) };
}
