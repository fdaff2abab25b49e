/**
 * Between frozen bytes and ONNX Runtime's tensors. Both are little-endian and row-major, so nothing is converted; a
 * float16 stays as it is, in whatever array the browser has for it.
 *
 * @typedef {typeof import('onnxruntime-web')} Ort
 * @typedef {import('onnxruntime-web').Tensor} OrtTensor
 * @typedef {import('onnxruntime-web').Tensor.Type} OrtType
 */

import { Unsupported } from '../seam.js';

/** numpy's name → ONNX Runtime's name and the array over its bytes. @type {Record<string, [OrtType, any]>} */
const ARRAYS = {
  float32: ['float32', Float32Array],
  float64: ['float64', Float64Array],
  float16: ['float16', Uint16Array],
  int64: ['int64', BigInt64Array],
  uint64: ['uint64', BigUint64Array],
  int32: ['int32', Int32Array],
  uint32: ['uint32', Uint32Array],
  int16: ['int16', Int16Array],
  uint16: ['uint16', Uint16Array],
  int8: ['int8', Int8Array],
  uint8: ['uint8', Uint8Array],
  bool: ['bool', Uint8Array],
};

/**
 * Throws Unsupported for a dtype that ONNX Runtime Web has no array for.
 * @param {Ort} ort
 * @param {{name: string, dtype: string, shape: readonly number[]}} tensor
 * @param {ArrayBufferLike} buffer
 * @returns {OrtTensor}
 */
export function tensorOf(ort, { name, dtype, shape }, buffer) {
  if (!Object.hasOwn(ARRAYS, dtype)) throw new Unsupported(`input ${name}: no array for ${dtype} in onnxruntime-web`);
  const [type, TypedArray] = ARRAYS[dtype];
  return new ort.Tensor(type, new TypedArray(buffer), shape);
}

/**
 * The bytes of an output, downloaded where it lies on a device.
 * @param {string} name
 * @param {OrtTensor} tensor
 * @returns {Promise<import('../seam.js').HostTensor>}
 */
export async function hostTensor(name, tensor) {
  const data = /** @type {ArrayBufferView} */ (/** @type {unknown} */ (await tensor.getData()));
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dtype: tensor.type, shape: tensor.dims, bytes: /** @type {Uint8Array} */ (bytes) };
}

/**
 * An output that a run leaves on the GPU, in a buffer of its own.
 * @param {Ort} ort
 * @param {GPUDevice} device
 * @param {{type: OrtType, dims: readonly number[], bytes: number}} what
 * @returns {OrtTensor}
 */
export function tensorOnGpu(ort, device, { type, dims, bytes }) {
  const size = Math.ceil(bytes / 16) * 16; // the runtime's own buffers are such multiples
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const dataType = /** @type {import('onnxruntime-web').Tensor.GpuBufferDataTypes} */ (type);
  return ort.Tensor.fromGpuBuffer(device.createBuffer({ size, usage }), { dataType, dims });
}
