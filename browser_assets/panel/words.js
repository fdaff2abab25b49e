/**
 * What the panel says of numbers, a Case and a page, in words.
 *
 * @typedef {import('../protocol').CaseMessage} CaseMessage
 * @typedef {import('../protocol').Phase} Phase
 * @typedef {import('./series.js').Series} Series
 * @typedef {[label: string, text: string]} Row
 */

const UNITS = /** @type {const} */ ([['s', 1e9], ['ms', 1e6], ['µs', 1e3], ['ns', 1]]);
const SIZES = /** @type {const} */ ([['GB', 1e9], ['MB', 1e6], ['kB', 1e3], ['bytes', 1]]);

/** Phase → what its samples are, where they are not what is measured. @type {Record<string, string>} */
const WHAT = { warm: 'warming up: ', profiled: 'under the profiler: ' };

/** The unit in which a duration is a number of at least one. @param {number} ns */
export function unitOf(ns) {
  return UNITS.find(([, size]) => ns >= size) ?? UNITS[3];
}

/** `235 µs`, `12.3 ms`: three figures. @param {number} ns @param {readonly [string, number]} [unit] */
export function duration(ns, unit = unitOf(ns)) {
  const value = ns / unit[1];
  return `${value === 0 || value >= 100 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3))} ${unit[0]}`;
}

/** @param {number} bytes */
function size(bytes) {
  const [name, one] = SIZES.find(([, least]) => bytes >= least) ?? SIZES[3];
  return `${Number((bytes / one).toPrecision(3))} ${name}`;
}

/** @param {Series} series @param {number} above how many of those that are shown are above the axis */
export function samplesInWords(series, above) {
  const n = `n = ${series.n.toLocaleString('en')}`;
  const thinned = series.every > 1 ? ` (of every ${series.every}th)` : '';
  const together = series.runsPerSample > 1 ? `, ${series.runsPerSample.toLocaleString('en')} runs per sample` : '';
  const what = WHAT[series.phase] ?? '';
  return `${what}${n}, median ${duration(series.median())}${thinned}, clock ${series.clock}${together}${above > 0 ? `; of those shown ${above} above the axis` : ''}`;
}

/** @param {Phase} phase @returns {string} */
export function phaseInWords({ phase, detail }) {
  const { bytes, steady, iterations, samples } = /** @type {Record<string, any>} */ (detail);
  if (phase === 'warm') return `${steady ? 'steady' : 'not steady'} after ${iterations.toLocaleString('en')} runs`;
  if (phase === 'sample') return `${samples.toLocaleString('en')} samples`;
  return bytes > 0 ? `${size(bytes)} fetched` : '';
}

/** @type {Record<string, string>} */
const PURPOSES = {
  profile: 'time per operator, by the runtime\'s profiler: slower than what is measured',
  audit: 'is the backend honest: the same inputs against others, and its clock against another',
};

/** @param {CaseMessage} message @returns {Row[]} */
export function caseInWords({ case: asked, artifact, round_id, purpose }) {
  const { model, device, platform } = asked;
  const options = Object.entries(asked.options).map(([key, value]) => (value === true ? key : `${key}=${value}`));
  /** @type {[string, unknown][]} */
  const rows = [
    ['Model', `${model.name} (${[model.scale === 'full' ? '' : model.scale, `${model.weights} weights`].filter(Boolean).join(', ')})`],
    ['Purpose', PURPOSES[purpose] ?? null],
    ['Task', asked.mode === 'inference' ? asked.task : `${asked.task}, ${asked.mode}`],
    ['Platform', `${platform}${device === platform ? '' : ` on ${device}`}, by ${asked.backend}`],
    ['Precision', asked.precision],
    ['Batch', asked.batch_size],
    ['Length', asked.length],
    ['Threads', `${asked.threads} asked for`],
    ['Outputs', `left on the ${asked.outputs}`],
    ['Cache', asked.cache],
    ['Options', options.join(', ') || null],
    ['Artifact', artifact.digest],
    ['Round', round_id],
  ];
  return rows.filter(([, value]) => value !== null).map(([label, value]) => [label, String(value)]);
}

/**
 * @param {Record<string, any>} found what `probe.js` found, and what is known once it is loaded
 * @param {Record<string, string>} runtime
 * @returns {Row[]}
 */
export function placeInWords(found, runtime) {
  /** @type {Row[]} */
  const rows = [['Browser', String(found.user_agent ?? navigator.userAgent)]];
  const packages = Object.entries(runtime).map(([name, version]) => `${name} ${version}`);
  if (packages.length > 0) rows.push(['Runtime', packages.join(', ')]);
  if (found.webgpu) rows.push(['Adapter', adapterInWords(found.webgpu)]);
  if (found.webnn) rows.push(['WebNN', webnnInWords(found.webnn)]);
  if (found.threads !== undefined && found.threads !== null) rows.push(['Threads', `${found.threads} used`]);
  rows.push(['Isolation', [
    found.isolated ? 'cross-origin isolated' : 'NOT cross-origin isolated',
    found.shared_array_buffer ? 'SharedArrayBuffer is there' : 'no SharedArrayBuffer: one thread',
  ].join(', ')]);
  rows.push(['Clock step', duration(Number(found.clock_step_ns))]);
  if (found.wait_floor_ns) rows.push(['Wait floor', `${duration(Number(found.wait_floor_ns))} for nothing to wait for`]);
  rows.push(['Visibility', String(found.visibility)]);
  return rows;
}

/** @param {Record<string, any>} webgpu */
function adapterInWords({ available, reason, adapter = {}, software }) {
  if (!available) return `none: ${reason}`;
  const name = [adapter.vendor, adapter.architecture, adapter.device, adapter.description].filter(Boolean).join(', ');
  return `${software ? 'SOFTWARE, no GPU: ' : ''}${name || 'it does not say its name'}`;
}

/** @param {Record<string, any>} webnn */
function webnnInWords({ present, reason, contexts = {} }) {
  if (!present) return `none: ${reason}`;
  const each = Object.entries(contexts).map(([device, { ok, reason: why }]) => (
    ok ? `a context for ${device}, which is a hint` : `no context for ${device}: ${why}`));
  return each.join('; ');
}
