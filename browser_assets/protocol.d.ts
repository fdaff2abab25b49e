// Made by `python -m tests.page.generate_types --write` from harness/core. Do not edit.
// Every field is required: a receiver always gets it, and a sender must say it.

export interface Ack {
  event: 'ack';
  /** for who opened the page by hand: what came of it */
  said: string | null;
}

export interface Alive {
  event: 'alive';
}

export interface Artifact {
  digest: string;
  model: Model;
  task: string;
  batch_size: number;
  length: number | null;
  exporter: string;
  versions: Record<string, string>;
  /** transformers' class of the module; null: there is no module */
  built_by: string | null;
  /** where the weights came from, in words */
  weights_from: string;
  /** pytorch-fp32, test_data, or onnxruntime-cpu-fp32 */
  reference: string;
  opset: number | null;
  inputs: Array<Tensor>;
  expected: Array<Tensor>;
  /** precision → graph; one, that of the request; none: see `lacks` */
  onnx: Record<string, Graph>;
  /** form that was wanted (onnx) → why it is not here */
  lacks: Record<string, Lack>;
  /** null: it could not be counted, and a note says why */
  work: GraphWork | null;
  /** folder that from_pretrained loads */
  hf: string | null;
  /** null: there is none, and a note says why */
  pipeline: PipelineCall | null;
  files: Array<ArtifactFile>;
  notes: Array<string>;
}

export interface ArtifactFile {
  path: string;
  size_bytes: number;
  sha256: string;
}

export interface Backend {
  name: string;
  /** raised when what it measures can come out otherwise than before */
  version: number;
  side: 'native' | 'page';
  /** what of an Artifact it reads: hf, onnx; any: it reads nothing */
  formats: Array<string>;
  precisions: Array<string>;
  /** precision → that of the Artifact it reads, where it is another: bf16 computed from fp32 weights */
  reads: Record<string, string>;
  /** precision that it does not offer → why not */
  refuses: Record<string, string>;
  platforms: Record<string, PlatformOffer>;
  /** Python or npm packages whose versions are part of the measurement */
  packages: Array<string>;
  /** packages that take part in some of its Cases: their versions count, they may be absent */
  extras: Array<string>;
  /** those of them whose version --runtime can choose */
  runtimes: Array<string>;
  /** what to type where a package is missing */
  install: string;
  modes: Array<string>;
  /** where it can leave outputs */
  outputs: Array<string>;
  /** names of the options it knows; any other is refused */
  options: Array<string>;
  /** what the judge compares: the graph's outputs, or what a pipeline answers */
  answers: 'outputs' | 'pipeline';
  /** task families it can do; empty: all */
  tasks: Array<string>;
  /** known-duration backends: not part of --hardware all */
  for_tests: boolean;
}

export interface Case {
  model: Model;
  task: string;
  mode: 'inference' | 'training';
  platform: string;
  backend: string;
  device: string;
  browser: string | null;
  /** version asked for; null means the pinned one */
  browser_version: string | null;
  /** runtime asked for, `package@version`; null means the pinned */
  runtime: string | null;
  precision: string;
  batch_size: number;
  length: number | null;
  threads: number;
  outputs: 'host' | 'device';
  /** a browser's first load in a fresh profile, or its second in the same one */
  cache: 'cold' | 'warm';
  /** rate that a page's downloads are held to; null: loopback's own */
  network: string | null;
  /** a fresh process, or the fork of one with the imports */
  isolation: 'process' | 'zygote';
  /** numbers of the logical CPUs that it may run on; null: all */
  affinity: Array<number> | null;
  exporter: string | null;
  /** sizes of a bare .onnx's symbolic dimensions */
  dims: Record<string, number>;
  /** sha256 of inputs that the user gave for a bare .onnx */
  inputs: string | null;
  /** where those inputs lie; not part of the identity */
  inputs_path: string | null;
  options: Record<string, string | boolean>;
  seed: number;
}

export interface CaseMessage {
  event: 'case';
  protocol: number;
  round_id: string;
  case: Case;
  artifact: Artifact;
  base: string;
  outputs_to: string;
  policy: LoopPolicy;
  /** URL prefix of the runtime whose version was asked for; null: the page's own */
  runtime_base: string | null;
  /** profile: operators instead of samples; audit: the frozen inputs against varied ones, and the clock */
  purpose: 'timing' | 'profile' | 'audit' | 'coverage';
  /** placement is asked for in a Case's first Round only */
  first_round: boolean;
  /** load and run once without a word, then load the page again with this token */
  rehearse_for: string | null;
  /** wait for a person before the first iteration */
  pause: boolean;
  /** how many of the page's frames came over earlier connections: it goes on behind them */
  heard: number;
}

export interface Done {
  event: 'done';
  /** budget, narrow, most_samples: the rule that ended sampling */
  stopped_by: string;
}

export interface Failed {
  event: 'failed';
  code: string;
  reason: string;
}

export interface Graph {
  file: string;
  external: Array<string>;
}

export interface GraphWork {
  /** 2 per multiply-add of matrix products and convolutions, 1 per other element */
  flops: number;
  /** initialisers as stored, read once; of an embedding the rows looked up */
  weight_bytes: number;
  /** inputs and outputs of the graph, read or written once */
  activation_bytes: number;
  /** operator types that were not counted */
  unknown: Array<string>;
}

export interface Hello {
  event: 'hello';
  protocol: number;
  side: 'native' | 'page';
  /** package → version of everything that will be measured */
  runtime: Record<string, string>;
  /** adapter, isolation, clock step, threads, visibility … */
  provenance: Record<string, unknown>;
}

export interface Lack {
  /** export: no graph; load, run: ONNX Runtime refuses the graph; agree: it gives other numbers */
  stage: 'export' | 'load' | 'run' | 'agree';
  code: string;
  reason: string;
}

export interface LoopPolicy {
  /** time that warm-up and sampling of this Round may take; wins over the rest */
  slice_ns: number;
  warm_least: number;
  /** a young page gets faster for longer than a few quick runs last (tier-up) */
  warm_least_ns: number;
  /** share of the slice that warm-up may take */
  warm_share: number;
  /** iterations in each of the two windows that steadiness compares */
  steady_window: number;
  /** relative difference of the windows' medians called steady */
  steady_within: number;
  least_samples: number;
  most_samples: number;
  least_time_ns: number;
  /** relative half-width of the median called narrow enough */
  narrow_within: number;
  /** a sample lasts at least so many steps of the clock */
  steps_per_sample: number;
  send_every_ns: number;
}

export interface Model {
  /** as the user typed it */
  name: string;
  kind: 'architecture' | 'pretrained' | 'onnx' | 'unknown';
  /** architecture name, hub id, or sha256 of local files */
  identity: string;
  /** transformers' model type; null for a bare .onnx */
  architecture: string | null;
  /** absolute path of a local model; not part of the identity */
  path: string | null;
  revision: string | null;
  /** unknown: only of what was imported */
  weights: 'pretrained' | 'random' | 'unknown';
  scale: 'full' | 'tiny' | 'unknown';
  /** at most so many hidden layers in each part; null: all */
  layers: number | null;
  family: string;
  /** the user allowed the model's own Python code to run */
  trust_remote_code: boolean;
}

export interface Note {
  event: 'note';
  kind: 'warning' | 'console' | 'placement' | 'provenance' | 'memory' | 'progress' | 'profile';
  text: string;
  data: Record<string, unknown>;
}

export interface Order {
  url: string;
  what: string;
  /** 1 for the first Round of this device in this run */
  number: number;
}

export interface OutputTensor {
  name: string;
  dtype: string;
  shape: Array<number>;
}

export interface Outputs {
  event: 'outputs';
  iteration: 'first' | 'last';
  tensors: Array<OutputTensor>;
}

export interface Phase {
  event: 'phase';
  phase: string;
  duration_ns: number;
  detail: Record<string, unknown>;
}

export interface PipelineCall {
  /** transformers' name of the pipeline */
  task: 'feature-extraction' | 'text-classification' | 'image-classification';
  texts: Array<string>;
  /** uint8 [height, width, 3], RGB */
  images: Array<Tensor>;
  /** tokens that each text is padded or cut to: shapes are static */
  length: number | null;
  /** embeddings [batch, width]: mean over the tokens that are no padding, of length 1; scores [batch, labels]: softmax, in the order of the labels */
  expected: Array<Tensor>;
}

export interface PlatformOffer {
  devices: Array<string>;
  /** file of the page's runtime that users load for this platform */
  bundle: string | null;
}

export interface Probe {
  event: 'probe';
  protocol: number;
  /** then say what a GPU's clocks make of a kernel of known cost */
  calibrate: boolean;
  /** how many of the page's frames came over earlier connections: it goes on behind them */
  heard: number;
}

export interface Refused {
  event: 'unsupported';
  reason: string;
}

export interface Samples {
  event: 'samples';
  phase: string;
  /** perf_counter, performance_now; for WebGPU submit, await, slope, timestamp */
  clock: string;
  runs_per_sample: number;
  durations_ns: Array<number>;
}

export interface State {
  event: 'state';
  device: string;
  /** for this device, at most */
  rounds: number;
  /** what comes, in words */
  cases: Array<string>;
  /** how many of the Rounds have */
  ended: number;
  /** the latest ones that have ended, the last one last */
  told: Array<Told>;
  order: Order | null;
  over: boolean;
}

export interface Stop {
  event: 'stop';
}

export interface Taken {
  event: 'taken';
}

export interface Tensor {
  name: string;
  /** numpy's name: float32, int64, bool … */
  dtype: string;
  shape: Array<number>;
  file: string;
}

export interface Told {
  what: string;
  outcome: 'ok' | 'unsupported' | 'failed';
  reason: string | null;
}

export interface Visitor {
  event: 'visitor';
  /** which load of the page it is */
  page: string;
  user_agent: string;
  /** `name version` of navigator.userAgentData, the full ones where it tells them */
  brands: Array<string>;
  /** 390×844 @3, in CSS pixels with their ratio */
  screen: string;
  visibility: string;
  /** whether it is a secure context: without one there is no WebGPU and no isolation */
  secure: boolean;
  isolated: boolean;
  webgpu: boolean;
  webnn: boolean;
}

export type Up = Hello | Phase | Samples | Note | Outputs | Alive | Done | Failed | Refused;
export type Down = CaseMessage | Probe | Ack | Stop;
export type LobbyDown = State | Taken;
