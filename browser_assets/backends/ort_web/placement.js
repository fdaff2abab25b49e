/**
 * Which nodes the execution provider took, from ONNX Runtime's verbose log of a session's creation.
 *
 * @typedef {object} Placement
 * @property {Record<string, number>} providers execution provider → nodes
 * @property {string[]} fallbacks nodes left to the CPU, `Operator (node's name)`
 * @property {number | null} fallback_share 0…1 of all nodes; null where the log did not say
 * @property {string} [reason] why there is nothing
 */

const CPU = 'CPUExecutionProvider';
const HEADING = /placed on \[(\w+)\]\. Number of nodes: (\d+)/;
const NODE = /VerifyEachNodeIsAssignedToAnEp\]\s+(\S+ \(.*\))\s*$/;
const WEBNN = /number of nodes in the graph: (\d+) number of nodes supported by WebNN: (\d+)/;

/**
 * @param {string[]} lines
 * @returns {Placement}
 */
export function parsePlacement(lines) {
  /** @type {Record<string, number>} */
  const providers = {};
  /** @type {string[]} */
  const fallbacks = [];
  let provider = '';
  for (const line of lines) {
    const heading = HEADING.exec(line);
    const node = NODE.exec(line);
    if (heading) {
      provider = heading[1];
      providers[provider] = (providers[provider] ?? 0) + Number(heading[2]);
    } else if (node && provider === CPU) {
      fallbacks.push(node[1]);
    }
  }
  if (Object.keys(providers).length === 0) return unknownPlacement('the log names no node placements');
  unfuse(providers, lines);
  const total = Object.values(providers).reduce((sum, nodes) => sum + nodes, 0);
  return { providers, fallbacks, fallback_share: total === 0 ? 0 : (providers[CPU] ?? 0) / total };
}

/** @param {string} reason @returns {Placement} */
export function unknownPlacement(reason) {
  return { providers: {}, fallbacks: [], fallback_share: null, reason };
}

/**
 * WebNN fuses each partition into one node, so the placements count it as one; what it said when asked about the whole
 * graph (the largest, where control flow has graphs inside) is the true count.
 * @param {Record<string, number>} providers
 * @param {string[]} lines
 */
function unfuse(providers, lines) {
  const answers = lines.map((line) => WEBNN.exec(line)).filter((found) => found !== null);
  if (answers.length === 0) return;
  const [nodes, supported] = answers
    .map((found) => [Number(found[1]), Number(found[2])])
    .reduce((largest, answer) => (answer[0] > largest[0] ? answer : largest));
  providers.WebNNExecutionProvider = supported;
  if (nodes > supported) providers[CPU] = nodes - supported;
}
