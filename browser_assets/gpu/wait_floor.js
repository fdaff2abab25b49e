/**
 * How long it takes to hear that a GPU has finished when it had nothing to do: what an await costs at least.
 *
 * Firefox looks for finished work every 100 ms, so there the await of any quick inference says 100 ms or 200.
 */

const TIMES = 5;

/**
 * The median wait, in whole nanoseconds, for a copy of four bytes: read back as a runtime reads its outputs back, or only
 * waited for, as where outputs stay on the device.
 * @param {GPUDevice} device
 * @param {() => number} nowMs
 * @param {'host' | 'device'} outputs
 * @returns {Promise<number>}
 */
export async function measureWaitFloorNs(device, nowMs, outputs) {
  const from = device.createBuffer({ size: 4, usage: GPUBufferUsage.COPY_SRC });
  const to = device.createBuffer({ size: 4, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const waits = [];
  for (let i = 0; i < TIMES; i += 1) {
    await device.queue.onSubmittedWorkDone(); // nothing of anybody else's is waited for
    const began = nowMs();
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, 4);
    device.queue.submit([encoder.finish()]);
    if (outputs === 'host') await to.mapAsync(GPUMapMode.READ);
    else await device.queue.onSubmittedWorkDone();
    waits.push(nowMs() - began);
    to.unmap();
  }
  from.destroy();
  to.destroy();
  return Math.round(waits.sort((a, b) => a - b)[Math.floor(TIMES / 2)] * 1e6);
}
