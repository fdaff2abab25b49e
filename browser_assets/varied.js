/**
 * Other inputs of the same names, dtypes and shapes that a model must take too. Twin of `native/varied.py`, which says
 * what is varied and why. From the same frozen inputs the twins draw the same ones, to the byte; `tests/golden` holds them
 * to it.
 *
 * @typedef {import('./backends/seam.js').HostTensor} HostTensor
 */

// Numbers that mean a place, an extent or a moment: moved, they would name what is not there.
const NO_CONTENT = /mask|position|bbox|box|point|size|grid|shape|time|rope|freq/;
const TOKENS = /input_ids$/;
const TRIES = 20;

/** @type {Record<number, any>} bytes of an element → the array to move elements in, whatever they mean */
const ELEMENTS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array };

/** Lehmer's generator: its products stay below 2^53. */
export class Draws {
  constructor() {
    this.state = 20_261_126;
  }

  /** A whole number from 0 to `most` - 1. @param {number} most */
  below(most) {
    this.state = (this.state * 48_271) % 2_147_483_647;
    return this.state % most;
  }
}

/** Draws sets of inputs, each of them once, and never the frozen ones. */
export class Varied {
  /** @param {HostTensor[]} frozen @param {Draws} draws */
  constructor(frozen, draws) {
    this.frozen = frozen;
    this.draws = draws;
    const content = frozen.filter(isContent);
    const named = content.filter((tensor) => isFloat(tensor) || TOKENS.test(tensor.name));
    // A bare graph may call its token ids anything; where floats vary, they need not be understood.
    this.names = (named.length > 0 ? named : content).map(({ name }) => name);
    this.seen = new Set([this.names.map((name) => {
      const tensor = /** @type {HostTensor} */ (frozen.find((each) => each.name === name));
      return keyOf(tensor, tensor.bytes, 0);
    }).join('')]);
  }

  /** Inputs that were not there yet; null where nothing may be varied, or nothing new is found any more. */
  next() {
    for (let attempt = 0; attempt < (this.names.length > 0 ? TRIES : 0); attempt += 1) {
      let key = '';
      /** @type {Map<string, HostTensor>} */
      const drawn = new Map();
      for (const name of this.names) {
        const tensor = /** @type {HostTensor} */ (this.frozen.find((each) => each.name === name));
        const places = isFloat(tensor) ? 1 + this.draws.below(sizeOf(tensor) - 1) : 0;
        const bytes = isFloat(tensor) ? movedOn(tensor, places) : inAnotherOrder(tensor, this.draws);
        key += keyOf(tensor, bytes, places);
        drawn.set(name, { ...tensor, bytes });
      }
      if (!this.seen.has(key)) {
        this.seen.add(key);
        return this.frozen.map((tensor) => drawn.get(tensor.name) ?? tensor);
      }
    }
    return null;
  }
}

/** @param {HostTensor} tensor */
function isFloat({ dtype }) {
  return dtype.startsWith('float') || dtype.startsWith('bfloat');
}

/** @param {HostTensor} tensor */
function sizeOf({ shape }) {
  return shape.reduce((product, each) => product * each, 1);
}

/** An array of its own over the tensor's elements. @param {HostTensor} tensor */
function elementsOf(tensor) {
  const Elements = ELEMENTS[tensor.bytes.length / sizeOf(tensor)];
  const copy = tensor.bytes.slice();
  return new Elements(copy.buffer, copy.byteOffset, sizeOf(tensor));
}

/** What tells two draws apart: of floats, which may be millions, by how far they were moved. @param {HostTensor} tensor @param {Uint8Array} bytes @param {number} places */
function keyOf(tensor, bytes, places) {
  return isFloat(tensor) ? `${places};` : String(bytes);
}

/** @param {HostTensor} tensor */
function isContent(tensor) {
  const { name, dtype, shape } = tensor;
  if (dtype === 'bool' || NO_CONTENT.test(name) || shape.length === 0 || sizeOf(tensor) < 2) return false;
  if (!isFloat(tensor) && shape[shape.length - 1] < 2) return false;
  return hasThreeValues(elementsOf(tensor));
}

/** By their bits. Two are a mask's; one is nothing to move. @param {Iterable<number | bigint>} elements */
function hasThreeValues(elements) {
  const found = new Set();
  for (const each of elements) {
    found.add(each);
    if (found.size > 2) return true;
  }
  return false;
}

/** As in a ring. @param {HostTensor} tensor @param {number} places */
function movedOn(tensor, places) {
  const { bytes } = tensor;
  const by = places * (bytes.length / sizeOf(tensor));
  const moved = new Uint8Array(bytes.length);
  moved.set(bytes.subarray(bytes.length - by));
  moved.set(bytes.subarray(0, bytes.length - by), by);
  return moved;
}

/** Each row by Fisher and Yates; rows one after the other from the same draws. @param {HostTensor} tensor @param {Draws} draws */
function inAnotherOrder(tensor, draws) {
  const elements = elementsOf(tensor);
  const width = tensor.shape[tensor.shape.length - 1];
  for (let row = 0; row < elements.length; row += width) {
    for (let last = width - 1; last > 0; last -= 1) {
      const other = draws.below(last + 1);
      [elements[row + last], elements[row + other]] = [elements[row + other], elements[row + last]];
    }
  }
  return new Uint8Array(elements.buffer);
}
