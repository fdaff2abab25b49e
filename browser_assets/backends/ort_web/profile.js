/**
 * What ONNX Runtime's profiler says of a session: time per kind of operator.
 *
 * In a page it writes its trace to the console, a line per event, when it is told to end: nodes by the host's clock, in
 * whole microseconds. Its native WebGPU provider puts each kernel into a pass of its own there, between two timestamps of
 * the GPU: these are the events named `node&Operator&Program`. Where the device has no timestamps there are none, and
 * what is left of a GPU's node is how long it took to be dispatched. Of WebNN it is never more than that.
 *
 * @typedef {import('../seam.js').OperatorTime} OperatorTime
 * @typedef {{cat: string, name: string, ts: number, dur: number, args: Record<string, any>}} Traced microseconds
 */

const CPU = 'CPUExecutionProvider';
const WEBGPU = 'WebGpuExecutionProvider';
const HOST = "ONNX Runtime's profiler, by the host's clock in whole microseconds";
const OF_WEBGPU = "ONNX Runtime's profiler: kernels by the GPU's own timestamps, nodes on the CPU by the host's clock;"
  + ' without the copies between them';
const DISPATCH = 'dispatch alone, and what copies results back waits for it';
const NO_TIMESTAMPS = `${HOST}; of a node on the GPU, which has no timestamps, that is its ${DISPATCH}`;
const OF_WEBNN = `${HOST}; each partition that WebNN runs is one node, of which that is its ${DISPATCH}`;
// Its number is made from the graph.
const WEBNN_PARTITION = /^WEBNN_\d+_\d+$/;

/**
 * Time per kind of operator and device in the last `runs` of `all` runs. Throws an Error where the trace is not that of
 * so many runs.
 * @param {string[]} lines of the console
 * @param {{platform: string, runs: number, all: number}} asked
 * @returns {{source: string, operators: OperatorTime[]}}
 */
export function readProfile(lines, { platform, runs, all }) {
  const trace = parse(lines);
  const began = trace.filter(({ cat, name }) => cat === 'Session' && name === 'model_run').map(({ ts }) => ts).sort((a, b) => a - b);
  if (began.length !== all) throw new Error(`the profiler tells of ${began.length} runs, there were ${all}`);
  const nodes = trace.filter(({ cat, name, ts }) => cat === 'Node' && name.endsWith('_kernel_time') && ts >= began[all - runs]);
  const kernels = kernelsOfLast(trace.filter(({ cat }) => cat === 'Api'), runs, all);
  const byGpu = platform === 'webgpu' && kernels.length > 0;
  const times = new Times(platform);
  const ofHost = byGpu ? nodes.filter(({ args }) => args.provider !== WEBGPU) : nodes;
  const selves = withoutInner(nodes);
  for (const node of ofHost) times.add(node.args.op_name, node.args.provider, 1, selves.get(node) ?? 0);
  if (byGpu) addKernels(times, kernels, nodes);
  return { source: sourceOf(platform, byGpu, nodes), operators: times.all() };
}

/** @param {string} platform @param {boolean} byGpu @param {Traced[]} nodes */
function sourceOf(platform, byGpu, nodes) {
  if (platform === 'webnn') return OF_WEBNN;
  if (byGpu) return OF_WEBGPU;
  return nodes.some(({ args }) => args.provider === WEBGPU) ? NO_TIMESTAMPS : HOST;
}

/** @param {string[]} lines @returns {Traced[]} */
function parse(lines) {
  return lines.filter((line) => line.startsWith('{"cat"')).map((line) => {
    try {
      return JSON.parse(line.replace(/,\s*$/, ''));
    } catch {
      // It does not escape what a node is called; without that node the rest would be no whole.
      throw new Error(`the profiler wrote what is no JSON: ${line.slice(0, 200)}`);
    }
  });
}

/**
 * The kernels of the last runs. Their timestamps are another clock's than the runs', so they are told apart by order: a
 * run ends with the kernel that is the last of all, as often in each run.
 * @param {Traced[]} kernels @param {number} runs @param {number} all
 */
function kernelsOfLast(kernels, runs, all) {
  const last = kernels[kernels.length - 1];
  if (last === undefined) return [];
  const ends = [...kernels.keys()].filter((at) => kernels[at].name === last.name);
  if (ends.length % all !== 0) throw new Error(`${last.name} ran ${ends.length} times in ${all} runs: which run's is not known`);
  const before = ((all - runs) * ends.length) / all;
  return kernels.slice(before === 0 ? 0 : ends[before - 1] + 1);
}

/**
 * An operator may need several kernels, and some need none: a call is a node's.
 * @param {Times} times @param {Traced[]} kernels @param {Traced[]} nodes
 */
function addKernels(times, kernels, nodes) {
  /** @type {Set<string>} */
  const computed = new Set();
  for (const { name, dur } of kernels) {
    const parts = name.split('&');
    const operator = parts[parts.length - 2] ?? name;
    computed.add(operator);
    times.add(operator, WEBGPU, 0, dur);
  }
  for (const { args } of nodes) {
    if (args.provider === WEBGPU && computed.has(args.op_name)) times.add(args.op_name, WEBGPU, 1, 0);
  }
}

/**
 * What each node took without the nodes inside it, which those of a loop's or a branch's graph are. @param {Traced[]} nodes
 * @returns {Map<Traced, number>}
 */
function withoutInner(nodes) {
  const selves = new Map(nodes.map((node) => [node, node.dur]));
  /** @type {Traced[]} */
  const around = [];
  for (const node of [...nodes].sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    while (around.length > 0 && node.ts >= ends(around[around.length - 1])) around.pop();
    const outer = around[around.length - 1];
    if (outer !== undefined) selves.set(outer, Math.max(0, (selves.get(outer) ?? 0) - node.dur));
    around.push(node);
  }
  return selves;
}

/** @param {Traced} node */
function ends({ ts, dur }) {
  return ts + dur;
}

/** Sums by operator and device. */
class Times {
  /** @param {string} platform */
  constructor(platform) {
    this.platform = platform;
    /** @type {Map<string, OperatorTime>} */
    this.sums = new Map();
  }

  /** @param {string} operator @param {string} provider @param {number} count @param {number} self_us */
  add(operator, provider, count, self_us) {
    const named = WEBNN_PARTITION.test(operator) ? 'WebNN partition' : operator;
    const key = `${named} ${provider}`;
    const fallback = this.platform !== 'wasm' && provider === CPU;
    const sum = this.sums.get(key) ?? { operator: named, device: provider, count: 0, self_ns: 0, fallback };
    sum.count += count;
    sum.self_ns += 1000 * self_us;
    this.sums.set(key, sum);
  }

  /** The longest first. */
  all() {
    return [...this.sums.values()].sort((a, b) => b.self_ns - a.self_ns);
  }
}
