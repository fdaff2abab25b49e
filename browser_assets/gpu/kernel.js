/**
 * A kernel of known cost, which calibrates a GPU's clocks: each invocation steps a congruential generator so many times,
 * each step waits for the one before, and the last value is known. Twice the steps cost twice the time.
 *
 * @typedef {import('../protocol').Samples} Samples
 *
 * @typedef {object} Calibration
 * @property {number} steps that each invocation makes in `once`
 * @property {boolean} right whether the last value was the one that the CPU computes
 * @property {number} wait_floor_ns
 * @property {Samples[]} once all four clocks of one dispatch
 * @property {Samples[]} twice the same with twice the steps
 * @property {string | null} no_timestamps why there are none
 */

import { sampleSubmitAndSlope } from './clocks.js';
import { profileOnGpu } from './timestamps.js';
import { measureWaitFloorNs } from './wait_floor.js';
import { wordsOf } from '../backends/seam.js';

const INVOCATIONS = 16_384;
const WORKGROUP = 64;
const SHADER = `
  @group(0) @binding(0) var<storage, read_write> values: array<u32>;
  @group(0) @binding(1) var<uniform> steps: u32;
  @compute @workgroup_size(${WORKGROUP}) fn main(@builtin(global_invocation_id) id: vec3u) {
    var value = id.x;
    for (var i = 0u; i < steps; i++) { value = value * 1664525u + 1013904223u; }
    values[id.x] = value;
  }`;
// A dispatch lasts about so long: far above a timestamp's step (100 µs without developer features), far below a wait.
const AIM_NS = 20e6;
const TRIED_TOGETHER = 8;
const FIRST_STEPS = 64;
const MOST_STEPS = 1 << 26;
const WARM_NS = 1.5e9;
const AWAITS = 5;
const PROFILED = 7;
const LIMIT_NS = 2.5e9;

/**
 * Throws in the words of the browser where it has no GPU to calibrate.
 * @param {() => number} now whole nanoseconds
 * @returns {Promise<Calibration>}
 */
export async function calibrate(now) {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('navigator.gpu.requestAdapter gave null');
  const timestamps = adapter.features.has('timestamp-query');
  const device = await adapter.requestDevice({ requiredFeatures: timestamps ? ['timestamp-query'] : [] });
  try {
    const kernel = await makeKernel(device);
    await warm(kernel, now);
    const wait_floor_ns = await measureWaitFloorNs(device, () => now() / 1e6, 'host');
    const steps = await stepsFor(kernel, wait_floor_ns, now);
    const once = await fourClocks(kernel, wait_floor_ns, now);
    const right = (await kernel.lastValue()) === lastValue(INVOCATIONS - 1, steps);
    kernel.setSteps(2 * steps);
    const twice = await fourClocks(kernel, wait_floor_ns, now);
    const no_timestamps = timestamps ? null : 'the adapter has no timestamp-query';
    return { steps, right, wait_floor_ns, once, twice, no_timestamps };
  } finally {
    device.destroy();
  }
}

/** @typedef {Awaited<ReturnType<typeof makeKernel>>} Kernel */

/** @param {GPUDevice} device */
async function makeKernel(device) {
  const module = device.createShaderModule({ code: SHADER });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, UNIFORM } = GPUBufferUsage;
  const values = device.createBuffer({ size: 4 * INVOCATIONS, usage: STORAGE | COPY_SRC });
  const uniform = device.createBuffer({ size: 4, usage: UNIFORM | COPY_DST });
  const readable = device.createBuffer({ size: 4, usage: MAP_READ | COPY_DST });
  const entries = [values, uniform].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return {
    device,
    finished: () => device.queue.onSubmittedWorkDone(),
    /** @param {number} steps */
    setSteps(steps) { device.queue.writeBuffer(uniform, 0, new Uint32Array([steps])); },
    enqueue() {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(INVOCATIONS / WORKGROUP);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    /** Waits as a runtime waits that reads its outputs. */
    async lastValue() {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(values, 4 * (INVOCATIONS - 1), readable, 0, 4);
      device.queue.submit([encoder.finish()]);
      await readable.mapAsync(GPUMapMode.READ);
      const [value] = new Uint32Array(readable.getMappedRange().slice(0));
      readable.unmap();
      return value;
    },
  };
}

/**
 * A browser that has just started is still busy with itself, and the first dispatch compiles: without this the awaits,
 * which come first, were up to 2.5 times what came after them.
 * @param {Kernel} kernel @param {() => number} now
 */
async function warm(kernel, now) {
  kernel.setSteps(FIRST_STEPS);
  const began_ns = now();
  while (now() - began_ns < WARM_NS) {
    kernel.enqueue();
    await kernel.lastValue();
  }
}

/**
 * Steps that make a dispatch last about as long as is aimed for; they are set.
 * @param {Kernel} kernel @param {number} floor_ns @param {() => number} now
 */
async function stepsFor(kernel, floor_ns, now) {
  for (let steps = FIRST_STEPS; ; ) {
    kernel.setSteps(steps);
    const began_ns = now();
    for (let i = 0; i < TRIED_TOGETHER; i += 1) kernel.enqueue();
    await kernel.finished();
    const each_ns = Math.max(1, now() - began_ns - floor_ns) / TRIED_TOGETHER;
    // What a coarse wait leaves of a short try is noise: grown by four until the work stands out of it.
    const stands_out = each_ns * TRIED_TOGETHER > floor_ns / 2;
    if (stands_out && each_ns >= AIM_NS / 2) return steps;
    if (steps >= MOST_STEPS) return steps;
    steps = Math.min(MOST_STEPS, stands_out ? Math.ceil(steps * Math.min(4, (AIM_NS / each_ns))) : 4 * steps);
  }
}

/** @param {Kernel} kernel @param {number} floor_ns @param {() => number} now */
async function fourClocks(kernel, floor_ns, now) {
  /** @type {Samples[]} */
  const found = [];
  const waited = [];
  for (let i = 0; i < AWAITS; i += 1) {
    const began_ns = now();
    kernel.enqueue();
    await kernel.lastValue();
    waited.push(now() - began_ns);
  }
  found.push({ event: 'samples', phase: 'sample', clock: 'await', runs_per_sample: 1, durations_ns: waited });
  await sampleSubmitAndSlope(kernel, { floor_ns, limit_ns: LIMIT_NS }, now, (samples) => { found.push(samples); });
  try {
    const profiled = await profileOnGpu(kernel.device, kernel.enqueue, { times: PROFILED, limit_ms: LIMIT_NS / 1e6 });
    const durations_ns = profiled.map(({ span_ns }) => span_ns);
    found.push({ event: 'samples', phase: 'sample', clock: 'timestamp', runs_per_sample: 1, durations_ns });
  } catch (error) {
    console.warn(`no timestamps: ${wordsOf(error)}`);
  }
  return found;
}

/** What the shader computes, by the CPU. @param {number} seed @param {number} steps */
function lastValue(seed, steps) {
  let value = seed;
  for (let i = 0; i < steps; i += 1) value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
  return value;
}
