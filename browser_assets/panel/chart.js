/**
 * Samples as marks, with their median as a line: three paths and seven labels whose number never changes.
 *
 * @typedef {import('./series.js').Series} Series
 */

import { duration, unitOf } from './words.js';

const WIDTH = 300;
const MOST_MARKS = 150; // on a phone they are two pixels apart
const HEIGHT = 100;
// A sample far above the others must not press them flat: it is drawn at the top edge, and said.
const TOP_PER_MEDIAN = 2.5;
const NICE = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10];

/**
 * Gives how many of the marks' samples lie above the axis.
 * @param {Series} series @param {(id: string, text: string) => void} set @param {(id: string) => Element | null} find
 */
export function drawChart(series, set, find) {
  const median = series.median();
  const largest = series.latest.reduce((most, value) => Math.max(most, value), 0);
  const top = niceAbove(Math.min(largest, TOP_PER_MEDIAN * median) || largest || 1);
  const unit = unitOf(top);
  find('points')?.setAttribute('d', marks(series.latest, top));
  find('points')?.setAttribute('data-phase', series.phase);
  find('median')?.setAttribute('d', `M0 ${height(median, top)}H${WIDTH}`);
  set('y-top', duration(top, unit));
  set('y-middle', duration(top / 2, unit));
  set('y-zero', `0 ${unit[0]}`);
  set('x-first', '1');
  set('x-title', series.phase === 'warm' ? 'number of the run, warming up' : 'number of the sample');
  set('x-last', series.n.toLocaleString('en'));
  return series.latest.filter((value) => value > top).length;
}

/**
 * A dot for each, or, of more than can be told apart, a stroke from the least to the most of some neighbours.
 * @param {Float64Array} values @param {number} top
 */
function marks(values, top) {
  const together = Math.ceil(values.length / MOST_MARKS);
  const columns = Math.ceil(values.length / together);
  const parts = [];
  for (let column = 0; column < columns; column += 1) {
    const some = values.subarray(column * together, (column + 1) * together);
    const x = ((column + 0.5) / columns * WIDTH).toFixed(1);
    const [low, high] = [Math.min(...some), Math.max(...some)];
    parts.push(low === high ? `M${x} ${height(low, top)}h0` : `M${x} ${height(low, top)}V${height(high, top)}`);
  }
  return parts.join('');
}

/** @param {number} value @param {number} top */
function height(value, top) {
  return (HEIGHT * (1 - Math.min(value / top, 1))).toFixed(1);
}

/** @param {number} value */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return (NICE.find((nice) => nice * power >= value) ?? 10) * power;
}
