/**
 * What this load of the page fetched, by its own resource timings: how much came over the network, how much the browser
 * had kept from an earlier load.
 *
 * @typedef {{files: number, network_bytes: number | null, kept_bytes: number | null}} Downloads
 */

/** @returns {{downloads: Downloads}} bytes are null where the browser does not tell them */
export function downloads() {
  const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType('resource'));
  const told = entries.every(({ transferSize, decodedBodySize }) => transferSize !== undefined && decodedBodySize !== undefined);
  const kept = entries.filter(({ transferSize }) => transferSize === 0);
  const files = entries.length;
  if (!told) return { downloads: { files, network_bytes: null, kept_bytes: null } };
  return { downloads: { files, network_bytes: sum(entries, 'transferSize'), kept_bytes: sum(kept, 'decodedBodySize') } };
}

/** @param {PerformanceResourceTiming[]} entries @param {'transferSize' | 'decodedBodySize'} size */
function sum(entries, size) {
  return entries.reduce((total, entry) => total + entry[size], 0);
}
