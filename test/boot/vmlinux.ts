// The ELF file inside a Linux bzImage: kernels that are started at their PVH entry come unpacked.

/** Header fields of a bzImage (LINUX boot "The Real-Mode Kernel Header"). */
const SETUP_SECTORS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR = 512;

const LZ4_LEGACY = 0x184c_2102;
const LZ4_BLOCK = 8 << 20;

/** The ELF file that a bzImage holds, packed with LZ4 as Debian 12's cloud kernel is. */
export function vmlinux(bzImage: Uint8Array): Uint8Array {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  const start = (view.getUint8(SETUP_SECTORS) + 1) * SECTOR + view.getUint32(PAYLOAD_OFFSET, true);
  // The last word is the unpacked size, which the kernel's build appends.
  const payload = bzImage.subarray(start, start + view.getUint32(PAYLOAD_LENGTH, true) - 4);
  const magic = view.getUint32(start, true);
  if (magic === LZ4_LEGACY) return unpackLz4(payload.subarray(4));
  throw new Error(`a kernel packed in an unknown way: ${magic.toString(16)}`);
}

/** LZ4's legacy frame: blocks of up to 8 MiB, each behind its packed length (LZ4 Frame Format, "Legacy frame"). */
function unpackLz4(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at + 4 <= frame.length;) {
    const length = view.getUint32(at, true);
    blocks.push(unpackBlock(frame.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

/** One block: runs of literals, each but the last followed by a copy from what is unpacked already (LZ4 Block Format). */
function unpackBlock(from: Uint8Array): Uint8Array {
  const to = new Uint8Array(LZ4_BLOCK);
  let at = 0;
  let length = 0;
  const extended = (nibble: number): number => {
    let sum = nibble;
    if (nibble === 15) for (let byte = 255; byte === 255; sum += byte) byte = from[at++]!;
    return sum;
  };
  while (at < from.length) {
    const token = from[at++]!;
    const literals = extended(token >> 4);
    to.set(from.subarray(at, at + literals), length);
    at += literals;
    length += literals;
    if (at >= from.length) break;
    const distance = from[at]! | (from[at + 1]! << 8);
    at += 2;
    for (let left = extended(token & 15) + 4; left > 0; left--, length++) to[length] = to[length - distance]!;
  }
  return to.slice(0, length);
}
