/**
 * The Round's story in a page: hello → prepare → load → first, warm, sample → outputs → placement → done.
 * Where it audits: hello → prepare → load → one run, then the frozen inputs by turns with others → outputs → done.
 * Where it profiles: hello → prepare → load → runs without and with the profiler → outputs → done.
 *
 * Twin of `native/worker.py`. Whatever goes wrong is said: `failed` with a code, or `unsupported` with the reason.
 *
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./backends/seam.js').Session} Session
 * @typedef {import('./protocol').Outputs} Outputs
 */

import { RoundFailed, Unsupported, asOutcome, wordsOf } from './backends/seam.js';
import { auditRuns } from './audit.js';
import { calibrate } from './gpu/kernel.js';
import { lookForLeaks, measureGpu, missing, shareOfClocks } from './besides.js';
import { downloads } from './downloads.js';
import { Link } from './link.js';
import { clockOf, runLoop } from './loop.js';
import { memoryOfPage } from './memory.js';
import { openSession, probeFor, softwareOf } from './opening.js';
import { Panel } from './panel.js';
import { sampleParts } from './parts.js';
import { profileRuns } from './profile.js';
import { probePage, probeWebGpu, probeWebNn } from './probe.js';
import { tellWhenHidden } from './visibility.js';

const MEMORY_IS_READ_MS = 250;
const LOSS_IS_TOLD_MS = 200;
const PROTOCOL = 1;
const WEBNN_DEVICES = ['cpu', 'gpu', 'npu'];

/** The conductor said stop: nothing more is to be said. */
class Stopped extends Error {}

const link = new Link(location);
// Samples and outputs are complete: what goes wrong with what is asked besides takes nothing from them.
let measured = false;
/** @type {string | undefined} what arrived by itself */
let wentWrong;
const panel = new Panel(document);
link.overhear = (/** @type {import('./protocol').Up} */ event) => panel.hear(event);

/** @param {string} kind @param {unknown} text */
function noteUnasked(kind, text) {
  console.warn(`the page asked a person, and was answered no: ${kind}(${String(text).slice(0, 200)})`);
}

/** @param {string} code @param {string} reason */
function fail(code, reason) {
  return link.sendLast({ event: 'failed', code, reason });
}

/** For what arrives by itself, such as the loss of a device. @param {string} code @param {string} reason */
function failUnlessMeasured(code, reason) {
  wentWrong ??= reason;
  if (!measured) fail(code, reason);
  else link.send({ event: 'note', kind: 'warning', text: `after the timing: ${reason}`, data: { code } });
}

window.addEventListener('error', (event) => failUnlessMeasured('page_error', event.message || 'a script did not load'));
window.addEventListener('unhandledrejection', (event) => failUnlessMeasured('page_error', wordsOf(event.reason)));

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
    const session = await openSession(message, await probeFor(message), failUnlessMeasured);
    await session.prepare();
    await session.load();
    await session.run();
    session.dropOutputs();
    await session.run();
    await session.close();
  } catch (error) {
    rehearsal = wordsOf(error);
  }
  sessionStorage.setItem('rehearsal', rehearsal === 'ok' ? wentWrong ?? rehearsal : rehearsal);
  // A visit, not a reload: that would have some browsers ask for every file again.
  location.replace(`${location.pathname}#${token}`);
}

/** @param {CaseMessage} message */
async function doRound(message) {
  panel.order(message);
  link.keepAlive(true);
  /** @type {Session | undefined} */
  let session;
  try {
    const provenance = await probeFor(message);
    session = await open(message, provenance);
    tellWhenHidden(document, () => performance.now(), (event) => link.send(event));
    await measure(message, session, Number(provenance.clock_step_ns));
  } catch (error) {
    if (error instanceof Stopped) return;
    // A lost device says so itself, perhaps a moment after the call that it broke has failed: its word is to be first.
    await new Promise((resolve) => { setTimeout(resolve, LOSS_IS_TOLD_MS); });
    const outcome = asOutcome('inference_failed', error, message.case.platform);
    if (outcome instanceof Unsupported) await link.sendLast({ event: 'unsupported', reason: outcome.message });
    else await fail(outcome.code, outcome.message);
  } finally {
    await session?.close().catch(() => {}); // the Round is over; a teardown that fails changes nothing
  }
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
    const session = await openSession(message, provenance, failUnlessMeasured);
    ({ runtime } = session);
    return session;
  } finally {
    sayHello(runtime, provenance);
    sayPhase('runtime', performance.now() - began, {});
    if (!provenance.isolated) sayNotIsolated();
  }
}

/** @param {CaseMessage} message @param {Session} session @param {number} step_ns */
async function measure(message, session, step_ns) {
  const detail = await timedPhase(message, 'prepare', () => session.prepare());
  sayPhase('prepare', detail.duration_ms, detail.result);
  const loaded = await timedPhase(message, 'load', () => session.load());
  sayPhase('load', loaded.duration_ms, {});
  const rehearsal = sessionStorage.getItem('rehearsal');
  if (message.case.cache === 'warm' && rehearsal !== 'ok') {
    throw new RoundFailed('load_failed', `the first load, which was to warm the profile, failed: ${rehearsal}`);
  }
  const known = await session.known();
  link.send({ event: 'note', kind: 'provenance', text: 'after load', data: { ...known, ...downloads() } });
  if (message.pause) await pause();
  if (message.purpose === 'profile') await profile(message, session);
  else if (message.purpose === 'audit') await audit(message, session, step_ns);
  else await time(message, session, { step_ns, known });
  if (link.told !== null) panel.set('phase', link.told); // opened by hand: nobody else will say what came of it
}

/** @param {CaseMessage} message @param {Session} session */
async function profile(message, session) {
  await panel.show('profile');
  const deliverFrom = (/** @type {'first' | 'last'} */ iteration) => deliver(message, session, iteration);
  const delivered = await profileRuns(message, session, deliverFrom, {
    emit: sayInLoop(),
    keepAlive: (on) => link.keepAlive(on),
  });
  for (const outputs of delivered) link.send(outputs);
  await link.sendLast({ event: 'done', stopped_by: 'profiled' });
}

/** @param {CaseMessage} message @param {Session} session @param {number} step_ns */
async function audit(message, session, step_ns) {
  await panel.show('audit');
  const deliverFrom = (/** @type {'first' | 'last'} */ iteration) => deliver(message, session, iteration);
  const clock = clockOf(session.clock, step_ns, () => performance.now());
  link.keepAlive(false); // a beat could fall into a run; its own messages are signs of life
  const delivered = await auditRuns(message, session, clock, deliverFrom, sayInLoop());
  link.keepAlive(true);
  for (const outputs of delivered) link.send(outputs);
  await link.sendLast({ event: 'done', stopped_by: 'audited' });
}

/**
 * @param {CaseMessage} message @param {Session} session
 * @param {{step_ns: number, known: Record<string, unknown>}} found of the clock, and once it was loaded
 */
async function time(message, session, { step_ns, known }) {
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
  if (message.first_round || session.gpu || session.parts) await new Promise((resolve) => { setTimeout(resolve, MEMORY_IS_READ_MS); });
  measured = true;
  if (message.first_round) link.send({ event: 'note', kind: 'memory', text: 'by the page', data: await memoryOfPage() });
  await sampleParts(session, sayInLoop());
  if (session.gpu) await sayGpuClocks(message, session.gpu, clock.now, { floor_ns, limit_ns: clocks_ns });
  if (message.first_round) {
    const data = await session.placement();
    link.send({ event: 'note', kind: 'placement', text: 'where the nodes ran', data });
    if (message.case.options.leak_check) {
      await session.close();
      await lookForLeaks(message, (event) => link.send(event));
    }
  }
  await link.sendLast({ event: 'done', stopped_by });
}

/** Wait for a person: first for the button, then in DevTools, if it is open. The conductor waits as long. */
async function pause() {
  link.send({ event: 'note', kind: 'progress', text: 'paused before the first iteration', data: { paused: true } });
  await panel.untilContinued(link.ended);
  if (link.stopped) throw new Stopped();
  debugger; // what comes next are the first iteration and the loop: `measure` goes on, then `runLoop`
  link.send({ event: 'note', kind: 'progress', text: 'it goes on', data: { paused: false } });
}

/**
 * @param {CaseMessage} message @param {NonNullable<Session['gpu']>} gpu @param {() => number} now
 * @param {{floor_ns: number, limit_ns: number}} limits
 */
async function sayGpuClocks(message, gpu, now, limits) {
  try {
    await measureGpu(message, gpu, now, limits, sayInLoop());
  } catch (error) {
    if (error instanceof Stopped) throw error;
    link.send(missing(error));
  }
}

/** What the loop calls between samples: send, show, let messages in. @returns {import('./loop.js').Emit} */
function sayInLoop() {
  return async (event) => {
    link.send(event);
    if (event.event === 'samples' || event.event === 'phase') await panel.show(event.phase);
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
  await panel.show(phase);
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
