// Draws varied inputs for one set of frozen ones per line of stdin; prints them as base64, one line each.
import { createInterface } from 'node:readline';
import { Draws, Varied } from '../../browser_assets/varied.js';

for await (const line of createInterface({ input: process.stdin })) {
  const { tensors, times } = JSON.parse(line);
  const frozen = tensors.map(({ bytes, ...tensor }) => ({ ...tensor, bytes: new Uint8Array(Buffer.from(bytes, 'base64')) }));
  const draws = new Draws();
  const others = new Varied(frozen, draws);
  const drawn = [];
  for (let time = 0; time < times; time += 1) {
    const next = others.next();
    drawn.push(next && next.map(({ bytes }) => Buffer.from(bytes).toString('base64')));
  }
  process.stdout.write(`${JSON.stringify({ names: others.names, drawn, state: draws.state })}\n`);
}
