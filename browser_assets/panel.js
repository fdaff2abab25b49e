/**
 * The page's panel: what is said over the line, for eyes. It is painted at most once a second, outside the timed region,
 * and whoever paints waits until the frame is drawn: a paint that comes later would fall into somebody's sample. Between
 * paints it only remembers, and never more than a fixed amount.
 *
 * @typedef {import('./protocol').Up} Up
 * @typedef {import('./protocol').CaseMessage} CaseMessage
 * @typedef {import('./panel/words.js').Row} Row
 */

import { drawChart } from './panel/chart.js';
import { Series } from './panel/series.js';
import { caseInWords, duration, phaseInWords, placeInWords, samplesInWords } from './panel/words.js';

const PAINT_EVERY_MS = 1_000;
const FRAME_PATIENCE_MS = 100;
const MOST_ROWS = 16;
const MOST_WARNINGS = 8;
// Phases whose samples are drawn: of the first that there is.
const SHOWN = ['sample', 'profiled', 'warm'];

export class Panel {
  /** @param {Document} page */
  constructor(page) {
    this.page = page;
    this.paintedAt = -Infinity;
    /** @type {Map<string, Series>} phase and clock → samples; the loop's own clock comes first */
    this.series = new Map();
    /** @type {Map<string, Row>} phase → how long it took and what came of it */
    this.phases = new Map();
    /** @type {string[]} */
    this.warnings = [];
    /** @type {Record<string, unknown>} */
    this.found = {};
    /** @type {Record<string, string>} */
    this.runtime = {};
    this.runs = false;
  }

  /** What it is about; before anything is timed. @param {CaseMessage} message */
  order(message) {
    const { model, platform, device, precision } = message.case;
    this.set('what', `${model.name}, ${precision}, ${platform}${device === platform ? '' : `:${device}`}`);
    this.fill('case', caseInWords(message));
    this.outcome('running');
    this.find('panel')?.removeAttribute('data-empty');
    this.runs = true;
  }

  /** Remember what was said; a last word is shown at once, since nothing is timed after it. @param {Up} event */
  hear(event) {
    if (event.event === 'samples') this.hearSamples(event);
    else if (event.event === 'phase') this.hearPhase(event);
    else if (event.event === 'hello') {
      this.runtime = event.runtime;
      Object.assign(this.found, event.provenance);
    } else if (event.event === 'note' && event.kind === 'provenance') Object.assign(this.found, event.data);
    else if (event.event === 'note' && event.kind === 'warning') this.warn(event.text);
    else if (event.event === 'failed') this.end('failed', event.code, event.reason);
    else if (event.event === 'unsupported') this.end('unsupported', '', event.reason);
    else if (event.event === 'done') this.end('done', `sampling ended by: ${event.stopped_by}`, '');
  }

  /**
   * Show the phase and what is known so far, if it is time to; in any case let the page breathe once, so that messages
   * get in.
   * @param {string} phase
   */
  async show(phase) {
    if (performance.now() - this.paintedAt < PAINT_EVERY_MS) {
      await turn();
      return;
    }
    this.set('phase', phase);
    this.paint();
    await frame();
    this.paintedAt = performance.now();
  }

  /** Until a person presses the button, or nothing more is to be done. @param {Promise<void>} ended */
  async untilContinued(ended) {
    const button = this.find('continue');
    this.outcome('paused');
    this.set('phase', 'before the first iteration');
    this.reveal('pause', true);
    this.paint();
    await Promise.race([ended, new Promise((go) => { button?.addEventListener('click', go, { once: true }); })]);
    this.outcome('running');
    this.reveal('pause', false);
    await frame();
  }

  /** Write at once, outside all timing. @param {string} id @param {string} text */
  set(id, text) {
    const field = this.find(id);
    if (field && field.textContent !== text) field.textContent = text;
  }

  /** @param {Extract<Up, {event: 'samples'}>} batch */
  hearSamples({ phase, clock, durations_ns, runs_per_sample }) {
    const key = `${phase} ${clock}`;
    const known = this.series.get(key) ?? new Series(phase, clock);
    if (this.series.size < MOST_ROWS) this.series.set(key, known);
    known.add(durations_ns, runs_per_sample);
  }

  /** @param {Extract<Up, {event: 'phase'}>} event */
  hearPhase(event) {
    if (this.phases.size < MOST_ROWS) {
      this.phases.set(event.phase, [duration(event.duration_ns), phaseInWords(event)]);
    }
  }

  /** @param {string} text */
  warn(text) {
    if (this.warnings.length < MOST_WARNINGS) this.warnings.push(text);
  }

  /** @param {string} outcome @param {string} how @param {string} words */
  end(outcome, how, words) {
    this.outcome(outcome);
    this.set('phase', how);
    this.reveal('pause', false);
    this.reveal('plot', this.series.size > 0);
    if (this.series.size === 0) this.set('in-words', 'none');
    this.set('wrong-title', outcome === 'failed' ? 'What went wrong' : 'Why not');
    this.set('wrong-words', words);
    this.reveal('wrong', outcome !== 'done');
    this.paint();
  }

  paint() {
    if (!this.runs) return;
    const all = [...this.series.values()];
    const [shown, ...others] = SHOWN.flatMap((wanted) => all.filter(({ phase }) => phase === wanted));
    if (shown !== undefined) {
      const above = drawChart(shown, (id, text) => this.set(id, text), (id) => this.find(id));
      this.set('in-words', samplesInWords(shown, above));
    }
    this.set('n', shown?.phase === 'sample' ? String(shown.n) : '');
    const clocks = others.filter(({ phase }) => phase === 'sample');
    const medians = clocks.map((each) => `${each.clock} ${duration(each.median())} (n = ${each.n})`);
    this.set('other-clocks', medians.length > 0 ? `by other clocks: ${medians.join(', ')}` : '');
    this.paintPhases();
    if (this.found.user_agent !== undefined) this.fill('place', placeInWords(this.found, this.runtime));
    const list = this.find('warnings');
    for (let at = list?.children.length ?? 0; at < this.warnings.length; at += 1) list?.append(this.made('li', this.warnings[at]));
    this.reveal('warned', this.warnings.length > 0);
  }

  paintPhases() {
    const table = this.find('phases');
    for (const [phase, [took, what]] of this.phases) {
      const id = `phase-${phase}`;
      let row = this.find(id);
      if (row === null) {
        row = this.made('tr', '');
        row.id = id;
        row.append(this.made('td', phase), this.made('td', ''), this.made('td', ''));
        table?.append(row);
      }
      for (const [at, text] of [took, what].entries()) {
        const cell = row.children[at + 1];
        if (cell.textContent !== text) cell.textContent = text;
      }
    }
  }

  /** A list of terms, written anew where something of it has changed. @param {string} id @param {Row[]} rows */
  fill(id, rows) {
    const list = this.find(id);
    if (list === null || list.getAttribute('data-rows') === JSON.stringify(rows)) return;
    list.setAttribute('data-rows', JSON.stringify(rows));
    list.replaceChildren(...rows.flatMap(([label, text]) => [this.made('dt', label), this.made('dd', text)]));
  }

  /** @param {string} outcome */
  outcome(outcome) {
    this.set('outcome', outcome);
    this.find('outcome')?.setAttribute('data-outcome', outcome);
  }

  /** @param {string} id @param {boolean} there */
  reveal(id, there) {
    const element = this.find(id);
    if (element !== null && element.hidden === there) element.hidden = !there;
  }

  /** @param {string} id */
  find(id) {
    return this.page.getElementById(id);
  }

  /** @param {string} tag @param {string} text */
  made(tag, text) {
    const element = this.page.createElement(tag);
    element.textContent = text;
    return element;
  }
}

/** One turn of the event loop; not a timer, which a page in the background gets once a second. @returns {Promise<void>} */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Until a frame is drawn; a hidden page draws none. @returns {Promise<void>} */
function frame() {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, FRAME_PATIENCE_MS);
    requestAnimationFrame(() => {
      clearTimeout(late);
      turn().then(resolve);
    });
  });
}
