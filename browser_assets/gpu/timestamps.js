/**
 * A GPU's own clock around what somebody else submits: each compute pass writes two timestamps.
 *
 * Runtimes make their passes themselves, and onnxruntime-web 1.30's native WebGPU provider never calls what
 * `env.webgpu.profiling` names (only the older one in `ort.all` does); its profiler wants a session of its own, and puts
 * each kernel into a pass of its own. So `beginComputePass` is wrapped while runs are profiled, and never while runs are
 * timed.
 *
 * @typedef {object} OnGpu one run by the GPU's own clock
 * @property {number} span_ns from the first pass's beginning to the last one's end
 * @property {number} busy_ns in the passes
 * @property {number} passes
 */

const QUERIES = 4096; // what WebGPU allows in one set

/**
 * Runs `run` so many times, or until the limit; an empty list where nothing that is a compute pass was submitted.
 * Throws an Error where the device has no timestamps.
 * @param {GPUDevice} device
 * @param {() => unknown} run resolves once all of it is submitted
 * @param {{times: number, limit_ms: number}} limits
 * @returns {Promise<OnGpu[]>}
 */
export async function profileOnGpu(device, run, { times, limit_ms }) {
  if (!device.features.has('timestamp-query')) throw new Error('the device has no timestamp-query');
  const began = performance.now();
  const found = [];
  for (let i = 0; i < times && performance.now() - began < limit_ms; i += 1) {
    const stamps = new Stamps(device);
    try {
      stamps.tap();
      await run();
    } finally {
      stamps.untap();
    }
    const read = await stamps.read();
    if (read !== null) found.push(read);
  }
  return found;
}

class Stamps {
  /** @param {GPUDevice} device */
  constructor(device) {
    this.device = device;
    /** @type {GPUQuerySet[]} */
    this.sets = [];
    this.used = 0;
    this.begin = GPUCommandEncoder.prototype.beginComputePass;
  }

  tap() {
    const stamps = this;
    const { begin } = this;
    /** @this {GPUCommandEncoder} @param {GPUComputePassDescriptor} [descriptor] */
    GPUCommandEncoder.prototype.beginComputePass = function beginComputePass(descriptor) {
      return begin.call(this, { ...descriptor, timestampWrites: descriptor?.timestampWrites ?? stamps.next() });
    };
  }

  untap() {
    GPUCommandEncoder.prototype.beginComputePass = this.begin;
  }

  /** @returns {GPUComputePassTimestampWrites} */
  next() {
    const at = this.used % QUERIES;
    if (at === 0) this.sets.push(this.device.createQuerySet({ type: 'timestamp', count: QUERIES }));
    this.used += 2;
    return { querySet: this.sets[this.sets.length - 1], beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
  }

  /** @returns {Promise<OnGpu | null>} */
  async read() {
    const { device, used } = this;
    if (used === 0) return null;
    const resolved = device.createBuffer({ size: 8 * used, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const readable = device.createBuffer({ size: 8 * used, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    for (const [index, set] of this.sets.entries()) {
      encoder.resolveQuerySet(set, 0, Math.min(QUERIES, used - index * QUERIES), resolved, 8 * index * QUERIES);
    }
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, 8 * used);
    device.queue.submit([encoder.finish()]);
    await readable.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(readable.getMappedRange().slice(0));
    for (const made of [...this.sets, resolved, readable]) made.destroy();
    return onGpu(stamps);
  }
}

/** @param {BigUint64Array} stamps begin and end of each pass @returns {OnGpu | null} null: they make no sense */
function onGpu(stamps) {
  let first = stamps[0];
  let last = stamps[1];
  let busy = 0n;
  for (let i = 0; i < stamps.length; i += 2) {
    const [begin, end] = [stamps[i], stamps[i + 1]];
    if (begin === 0n || end < begin) return null; // a pass that was never submitted, or a clock that was reset
    if (begin < first) first = begin;
    if (end > last) last = end;
    busy += end - begin;
  }
  return { span_ns: Number(last - first), busy_ns: Number(busy), passes: stamps.length / 2 };
}
