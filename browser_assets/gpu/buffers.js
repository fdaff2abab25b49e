/**
 * Bytes of GPU buffers that are alive, counted by wrapping what makes and destroys them; whoever makes them.
 *
 * What is neither destroyed nor collected counts on: so it does on the GPU. A buffer that is made costs about a
 * microsecond more.
 *
 * @typedef {{live: boolean, size: number}} Counted
 */

export const gpuBuffers = { live_bytes: 0, peak_bytes: 0 };
let counting = false;

/** From now on; where there is no WebGPU, nothing. */
export function countGpuBuffers() {
  if (counting || !('GPUDevice' in globalThis)) return;
  counting = true;
  const { createBuffer, destroy: destroyDevice } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  /** @type {WeakMap<GPUBuffer, Counted>} */
  const counted = new WeakMap();
  /** @type {WeakMap<GPUDevice, Set<Counted>>} */
  const ofDevice = new WeakMap();

  /** @param {Counted | undefined} one */
  const gone = (one) => {
    if (one?.live) {
      one.live = false;
      gpuBuffers.live_bytes -= one.size;
    }
  };
  const collected = new FinalizationRegistry(gone);

  /** @this {GPUDevice} @param {GPUBufferDescriptor} descriptor */
  GPUDevice.prototype.createBuffer = function counting(descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const one = { live: true, size: buffer.size };
    counted.set(buffer, one);
    collected.register(buffer, one);
    if (!ofDevice.has(this)) ofDevice.set(this, new Set());
    ofDevice.get(this)?.add(one);
    gpuBuffers.live_bytes += one.size;
    gpuBuffers.peak_bytes = Math.max(gpuBuffers.peak_bytes, gpuBuffers.live_bytes);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function counting() {
    gone(counted.get(this));
    return destroy.call(this);
  };
  GPUDevice.prototype.destroy = function counting() {
    for (const one of ofDevice.get(this) ?? []) gone(one);
    return destroyDevice.call(this);
  };
}
