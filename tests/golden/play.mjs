// Plays one scripted scenario per line of stdin through the page's loop; prints what it emitted, one line each.
import { createInterface } from 'node:readline';
import { clockOf, runLoop } from '../../browser_assets/loop.js';

for await (const line of createInterface({ input: process.stdin })) {
  const script = JSON.parse(line);
  const calls = { run: 0, after_first: 0, before_sample: 0 };
  let time_ns = 0;
  const clock = clockOf('scripted', script.step_ns, () => {
    const shown = Math.floor(time_ns / script.grain_ns) * script.grain_ns;
    time_ns += script.read_ns;
    return shown / 1e6;
  });
  const work = {
    run: () => {
      time_ns += script.durations_ns[calls.run % script.durations_ns.length];
      calls.run += 1;
    },
    after_first: () => { calls.after_first += 1; },
    before_sample: () => { calls.before_sample += 1; },
  };
  const events = [];
  const stopped_by = await runLoop(clock, work, script.policy, async (event) => {
    time_ns += script.emit_ns;
    events.push(event);
  });
  console.log(JSON.stringify({ events, stopped_by, calls, time_ns }));
}
