/**
 * Work of a known duration, for tests and for measuring what the harness itself costs; twin of `native/backends/noop.py`.
 *
 * Its outputs are the Artifact's expected ones, so that the judge has something to pass. `--option duration_us=N` waits
 * N microseconds busily; `--option fail=CODE` fails when loading, `wrong` spoils the outputs.
 *
 * @typedef {import('../seam.js').HostTensor} HostTensor
 */

import { RoundFailed, fetchFile, timedRunNs } from '../seam.js';

/**
 * @param {import('../seam.js').Opening} opening
 * @returns {Promise<import('../seam.js').Session>}
 */
export async function openSession({ message }) {
  const { options, threads } = message.case;
  const waitMs = Number(options.duration_us ?? 0) / 1000;
  /** @type {HostTensor[]} */
  let expected = [];
  /** @type {import('../seam.js').Session} */
  const session = {
    runtime: {},
    clock: 'performance_now',
    async prepare() {
      expected = await Promise.all(message.artifact.expected.map((tensor) => read(message, tensor)));
      if (options.wrong) for (const { bytes } of expected) bytes.fill(0x3f);
      return { bytes: expected.reduce((sum, tensor) => sum + tensor.bytes.length, 0) };
    },
    async load() {
      if (options.fail) throw new RoundFailed(String(options.fail), 'asked to fail');
    },
    known: async () => ({ threads }),
    run() {
      if (waitMs > 0) {
        const end = performance.now() + waitMs;
        while (performance.now() < end);
      }
    },
    dropOutputs() {},
    outputs: () => expected,
    placement: async () => ({ providers: {}, fallbacks: [], fallback_share: 0 }),
    async profile(runs) {
      const durations_ns = [];
      for (let run = 0; run < runs; run += 1) durations_ns.push(await timedRunNs(session));
      const self_ns = durations_ns.reduce((sum, duration) => sum + duration, 0);
      const operators = [{ operator: 'Wait', device: 'cpu', count: runs, self_ns, fallback: false }];
      return { source: 'performance_now', durations_ns, operators };
    },
    async close() {},
  };
  return session;
}

/**
 * @param {import('../../protocol').CaseMessage} message
 * @param {import('../../protocol').Tensor} tensor
 * @returns {Promise<HostTensor>}
 */
async function read(message, { name, dtype, shape, file }) {
  return { name, dtype, shape, bytes: new Uint8Array(await fetchFile(message, file)) };
}
