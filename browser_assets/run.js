/**
 * The Round's story in a page: hello → prepare → load → first, warm, sample → outputs → placement → done.
 *
 * Twin of `native/worker.py`. Whatever goes wrong is said: `failed` with a code, or `unsupported` with the reason.
 *
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./backends/seam.js').Session} Session
 * @typedef {import('./protocol').Outputs} Outputs
 */

import { RoundFailed, Unsupported, asOutcome, wordsOf } from './backends/seam.js';
import { sampleSubmitAndSlope } from './gpu/clocks.js';
import { countGpuBuffers } from './gpu/buffers.js';
import { calibrate } from './gpu/kernel.js';
import { profileOnGpu } from './gpu/timestamps.js';
import { Link } from './link.js';
import { clockOf, runLoop } from './loop.js';
import { checkLeaks, memoryOfPage } from './memory.js';
import { Panel } from './panel.js';
import { probePage, probeWebGpu, probeWebNn } from './probe.js';

const MEMORY_IS_READ_MS = 250;
// Of a Round's slice, for the clocks that its loop does not see: most where awaiting says little.
const CLOCKS_SHARE = 0.25;
const CLOCKS_SHARE_WHEN_FLOOR_IS_HIGH = 0.75;
const HIGH_FLOOR_NS = 20e6;
const PROFILED_RUNS = 10;
const LOSS_IS_TOLD_MS = 200;
const PROTOCOL = 1;
const WEBNN_DEVICES = ['cpu', 'gpu', 'npu'];

/** The conductor said stop: nothing more is to be said. */
class Stopped extends Error {}

const link = new Link(location);
// Samples and outputs are complete: what goes wrong with what is asked besides takes nothing from them.
let measured = false;
const panel = new Panel(document);

/** @param {string} kind @param {unknown} text */
function noteUnasked(kind, text) {
  console.warn(`the page asked a person, and was answered no: ${kind}(${String(text).slice(0, 200)})`);
}

/** @param {string} code @param {string} reason */
function fail(code, reason) {
  panel.set('phase', `failed: ${reason}`);
  return link.sendLast({ event: 'failed', code, reason });
}

/** For what arrives by itself, such as the loss of a device. @param {string} code @param {string} reason */
function failUnlessMeasured(code, reason) {
  if (!measured) fail(code, reason);
  else link.send({ event: 'note', kind: 'warning', text: `after the timing: ${reason}`, data: { code } });
}

window.addEventListener('error', (event) => fail('page_error', event.message || 'a script did not load'));
window.addEventListener('unhandledrejection', (event) => fail('page_error', wordsOf(event.reason)));

// Nobody is there to answer, and not every driver does it for us: what waits for a person would wait for ever.
window.alert = (text) => { noteUnasked('alert', text); };
window.confirm = (text) => { noteUnasked('confirm', text); return false; };
window.prompt = (text) => { noteUnasked('prompt', text); return null; };

const order = await link.firstMessage;
if (order.event === 'probe') await answerProbe(order.calibrate);
else if (order.rehearse_for !== null) await rehearse(order, order.rehearse_for);
else await doRound(order);

/** @param {boolean} calibrated whether a GPU's clocks are wanted too, which takes seconds */
async function answerProbe(calibrated) {
  panel.set('what', 'a probe of this browser');
  const webgpu = await probeWebGpu();
  const webnn = await probeWebNn(WEBNN_DEVICES);
  const page = probePage();
  sayHello({}, { ...page, webgpu, webnn, software: softwareOf(webgpu) });
  if (calibrated) await sayCalibration(webgpu.available, Number(page.clock_step_ns));
  link.keepAlive(true);
  await link.ended;
}

/** @param {boolean} gpu @param {number} step_ns */
async function sayCalibration(gpu, step_ns) {
  const clock = clockOf('performance_now', step_ns, () => performance.now());
  const calibration = gpu ? await calibrate(clock.now).catch((error) => ({ reason: wordsOf(error) })) : null;
  link.send({ event: 'note', kind: 'provenance', text: 'calibrated', data: { calibration } });
}

/**
 * The first load in a profile whose second one is measured: what a browser keeps by itself is made (compiled shaders and
 * pipelines; its HTTP cache stays empty, nothing of ours may lie there). Nothing is said; the next load says how it went.
 * @param {CaseMessage} message @param {string} token of the Round that follows
 */
async function rehearse(message, token) {
  panel.set('what', 'a first load, so that the next one is warm');
  link.keepAlive(true);
  let rehearsal = 'ok';
  try {
    const session = await openSession(message, await probeFor(message));
    await session.prepare();
    await session.load();
    await session.run();
    session.dropOutputs();
    await session.run();
    await session.close();
  } catch (error) {
    rehearsal = wordsOf(error);
  }
  history.replaceState({ rehearsal }, '', `#${token}`);
  location.reload();
}

/** @param {CaseMessage} message */
async function doRound(message) {
  const { model, platform, device, precision } = message.case;
  panel.set('what', `${model.name}, ${precision}, ${platform}${device === platform ? '' : `:${device}`}`);
  link.keepAlive(true);
  /** @type {Session | undefined} */
  let session;
  try {
    const provenance = await probeFor(message);
    session = await open(message, provenance);
    await measure(message, session, Number(provenance.clock_step_ns));
  } catch (error) {
    if (error instanceof Stopped) return;
    // A lost device says so itself, perhaps a moment after the call that it broke has failed: its word is to be first.
    await new Promise((resolve) => { setTimeout(resolve, LOSS_IS_TOLD_MS); });
    const outcome = asOutcome('inference_failed', error, platform);
    if (outcome instanceof Unsupported) await link.sendLast({ event: 'unsupported', reason: outcome.message });
    else await fail(outcome.code, outcome.message);
  } finally {
    await session?.close().catch(() => {}); // the Round is over; a teardown that fails changes nothing
  }
}

/** Only what the Case's platform needs: a GPU that is asked for wakes up. @param {CaseMessage} message */
async function probeFor({ case: { platform, device } }) {
  /** @type {Record<string, unknown>} */
  const found = probePage();
  if (platform === 'webgpu') {
    countGpuBuffers();
    const webgpu = await probeWebGpu();
    Object.assign(found, { webgpu, software: softwareOf(webgpu) });
  }
  if (platform === 'webnn') found.webnn = await probeWebNn([device]);
  return found;
}

/** @param {Awaited<ReturnType<typeof probeWebGpu>>} webgpu @returns {boolean | null} */
function softwareOf(webgpu) {
  return 'software' in webgpu ? webgpu.software : null;
}

/**
 * Load the backend and say hello; that is said also when there is nothing to say but the reason why not.
 * @param {CaseMessage} message
 * @param {Record<string, unknown>} provenance
 * @returns {Promise<Session>}
 */
async function open(message, provenance) {
  const began = performance.now();
  /** @type {Record<string, string>} */
  let runtime = {};
  try {
    const session = await openSession(message, provenance);
    ({ runtime } = session);
    return session;
  } finally {
    sayHello(runtime, provenance);
    sayPhase('runtime', performance.now() - began, {});
    if (!provenance.isolated) sayNotIsolated();
  }
}

/**
 * The folder of a page backend has its name.
 * @param {CaseMessage} message
 * @param {Record<string, unknown>} provenance
 * @returns {Promise<Session>}
 */
async function openSession(message, provenance) {
  const { backend, platform } = message.case;
  const folder = new URL(`./backends/${encodeURIComponent(backend)}/`, import.meta.url);
  const answer = await fetch(new URL('backend.json', folder));
  if (!answer.ok) throw new Unsupported(`the page has no backend named ${backend}`);
  /** @type {import('./protocol').Backend} */
  const described = await answer.json();
  const offer = described.platforms[platform];
  if (offer === undefined) throw new Unsupported(`${backend} does not offer ${platform}`);
  const backendModule = await import(new URL('backend.js', folder).href);
  return backendModule.openSession({ message, offer, provenance, fail: failUnlessMeasured });
}

/** @param {CaseMessage} message @param {Session} session @param {number} step_ns */
async function measure(message, session, step_ns) {
  const detail = await timedPhase(message, 'prepare', () => session.prepare());
  sayPhase('prepare', detail.duration_ms, detail.result);
  const loaded = await timedPhase(message, 'load', () => session.load());
  sayPhase('load', loaded.duration_ms, {});
  const { rehearsal } = history.state ?? {};
  if (message.case.cache === 'warm' && rehearsal !== 'ok') {
    throw new RoundFailed('load_failed', `the first load, which was to warm the profile, failed: ${rehearsal}`);
  }
  const known = await session.known();
  link.send({ event: 'note', kind: 'provenance', text: 'after load', data: known });
  /** @type {Outputs[]} */
  const delivered = [];
  const work = {
    run: () => session.run(),
    after_first: async () => { delivered.push(await deliver(message, session, 'first')); },
    before_sample: () => session.dropOutputs(),
  };
  link.keepAlive(false); // a beat of its own could fall into a timed region; the loop's samples are signs of life
  const clock = clockOf(session.clock, step_ns, () => performance.now());
  const floor_ns = Number(known.wait_floor_ns ?? 0);
  const clocks_ns = session.gpu ? message.policy.slice_ns * shareOfClocks(floor_ns) : 0;
  const loop_ns = Math.round(message.policy.slice_ns - clocks_ns);
  const stopped_by = await runLoop(clock, work, { ...message.policy, slice_ns: loop_ns }, sayInLoop());
  link.keepAlive(true);
  delivered.push(await deliver(message, session, 'last'));
  for (const outputs of delivered) link.send(outputs);
  // The conductor reads the browser's memory when it hears of the last outputs: what follows must not be in it.
  if (message.first_round || session.gpu) await new Promise((resolve) => { setTimeout(resolve, MEMORY_IS_READ_MS); });
  measured = true;
  if (message.first_round) link.send({ event: 'note', kind: 'memory', text: 'by the page', data: await memoryOfPage() });
  if (session.gpu) await measureGpu(message, session.gpu, clock, { floor_ns, limit_ns: clocks_ns });
  if (message.first_round) {
    const data = await session.placement();
    link.send({ event: 'note', kind: 'placement', text: 'where the nodes ran', data });
    if (message.case.options.leak_check) await lookForLeaks(message, session);
  }
  panel.set('phase', 'done');
  await link.sendLast({ event: 'done', stopped_by });
}

/** @param {number} floor_ns */
function shareOfClocks(floor_ns) {
  return floor_ns > HIGH_FLOOR_NS ? CLOCKS_SHARE_WHEN_FLOOR_IS_HIGH : CLOCKS_SHARE;
}

/**
 * A GPU's other clocks, which the loop does not see. That they cannot be had is no failure of what was measured.
 * @param {CaseMessage} message @param {NonNullable<Session['gpu']>} gpu @param {import('./loop.js').Clock} clock
 * @param {{floor_ns: number, limit_ns: number}} limits
 */
async function measureGpu(message, gpu, clock, limits) {
  /** @type {Record<string, unknown>} */
  const data = {};
  try {
    const work = await gpu();
    await sampleSubmitAndSlope(work, limits, clock.now, sayInLoop());
    if (!message.first_round) return;
    const profiled = await profileOnGpu(work.device, work.enqueue, { times: PROFILED_RUNS, limit_ms: limits.limit_ns / 1e6 });
    const durations_ns = profiled.map(({ span_ns }) => span_ns);
    link.send({ event: 'samples', phase: 'sample', clock: 'timestamp', runs_per_sample: 1, durations_ns });
    data.gpu_runs = profiled.slice(0, 1);
  } catch (error) {
    if (error instanceof Stopped) throw error;
    data.gpu_clocks_missing = wordsOf(error);
  }
  link.send({ event: 'note', kind: 'provenance', text: 'the GPU by its own clock', data });
}

/** @param {CaseMessage} message @param {Session} session which ends here */
async function lookForLeaks(message, session) {
  await session.close();
  const provenance = await probeFor(message);
  const leaks = await checkLeaks(Number(message.case.options.leak_check), async () => {
    const began = performance.now();
    const again = await openSession(message, provenance);
    await again.prepare();
    await again.load();
    await again.run();
    await again.close();
    sayPhase('leak_load', performance.now() - began, {}); // also a sign that it gets on
  }, (name) => link.send({ event: 'note', kind: 'progress', text: 'memory', data: { read_memory: name } }));
  link.send({ event: 'note', kind: 'provenance', text: 'loads and disposals', data: { leaks } });
}

/** What the loop calls between samples: send, show, let messages in. @returns {import('./loop.js').Emit} */
function sayInLoop() {
  let n = 0;
  return async (event) => {
    link.send(event);
    if (event.event === 'samples' && event.phase === 'sample') n += event.durations_ns.length;
    if (event.event === 'samples' || event.event === 'phase') await panel.show(event.phase, n);
    if (link.stopped) throw new Stopped();
  };
}

/**
 * One phase before the loop. Throws RoundFailed `load_failed`, or what the words say it was, or Unsupported.
 * @param {CaseMessage} message
 * @param {string} phase
 * @template T
 * @param {() => Promise<T>} action
 */
async function timedPhase(message, phase, action) {
  await panel.show(phase, 0);
  if (link.stopped) throw new Stopped();
  const began = performance.now();
  try {
    const result = await action();
    return { result, duration_ms: performance.now() - began };
  } catch (error) {
    throw asOutcome('load_failed', error, message.case.platform);
  }
}

/**
 * The bytes of the latest run's outputs, POSTed; gives the Event that says so, to be sent after the loop.
 * @param {CaseMessage} message
 * @param {Session} session
 * @param {'first' | 'last'} iteration
 * @returns {Promise<Outputs>}
 */
async function deliver(message, session, iteration) {
  const tensors = [];
  for (const [index, { name, dtype, shape, bytes }] of (await session.outputs()).entries()) {
    await link.deliver(`${message.outputs_to}${iteration}/${index}`, bytes);
    tensors.push({ name, dtype, shape: [...shape] });
  }
  return { event: 'outputs', iteration, tensors };
}

/** @param {Record<string, string>} runtime @param {Record<string, unknown>} provenance */
function sayHello(runtime, provenance) {
  link.send({ event: 'hello', protocol: PROTOCOL, side: 'page', runtime, provenance });
}

/** @param {string} phase @param {number} duration_ms @param {Record<string, unknown>} detail */
function sayPhase(phase, duration_ms, detail) {
  link.send({ event: 'phase', phase, duration_ns: Math.round(duration_ms * 1e6), detail });
}

function sayNotIsolated() {
  const text = 'the page is not cross-origin isolated: wasm runs on one thread, and the clock is coarse';
  link.send({ event: 'note', kind: 'warning', text, data: { code: 'not_isolated', threads: 1 } });
}
