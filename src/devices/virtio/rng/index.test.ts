import { describe, expect, it } from "vitest";
import { fakeWiring } from "../../../testing/fake-wiring.ts";
import { MmioDriverTransport, VirtioDriver } from "../../../testing/virtio-driver.ts";
import { virtioRngMmio } from "../index.ts";

describe("virtio entropy (VIRTIO 1.3 §5.4)", () => {
  function make() {
    const wiring = fakeWiring();
    let next = 0;
    const asked: number[] = [];
    const random = (into: Uint8Array): void => {
      asked.push(into.length);
      for (let i = 0; i < into.length; i++) into[i] = next++;
    };
    const device = virtioRngMmio.create({ base: 0, device: { random } }, wiring);
    const driver = new VirtioDriver(new MmioDriverTransport(device.mmio[0]!), wiring.memory);
    driver.start();
    return { driver, queue: driver.queue(0), asked };
  }

  it("fills the buffers with bytes of the host, none twice (§5.4.6.2)", () => {
    const { driver, queue } = make();
    queue.gap = 3;
    queue.offer(5, 3);
    queue.offer(2);
    driver.transport.notify(0);
    expect(queue.collect().map(({ bytes, written }) => [[...bytes], written])).toEqual([
      [[0, 1, 2, 3, 4, 5, 6, 7], 8],
      [[8, 9], 2],
    ]);
  });

  it("gives a bounded number of bytes a buffer", () => {
    const { driver, queue, asked } = make();
    queue.offer(0x2_0000);
    driver.transport.notify(0);
    expect([queue.collect()[0]?.written, asked]).toEqual([4096, [4096]]);
  });

  it("gives nothing where there is no room", () => {
    const { driver, queue } = make();
    queue.offer(Uint8Array.of(1, 2, 3));
    driver.transport.notify(0);
    expect(queue.collect()[0]?.written).toBe(0);
  });
});
