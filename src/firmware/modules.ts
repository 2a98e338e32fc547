// Boot modules of the multiboot and PVH protocols: files that are only placed, never looked into.
import { VmError } from "../support/errors.ts";
import { sizeText, type BootModule, type BootRequest } from "./boot-request.ts";
import type { GuestWrite } from "./guest-write.ts";
import type { Placement } from "./placement.ts";

const PAGE = 0x1000;
/** Modules stay out of the first MiB. */
const ABOVE_1_MIB = { min: 0x10_0000 };

/** All modules of a request, the initrd first. */
export function allModules(request: BootRequest): BootModule[] {
  const initrd = request.initrd === undefined ? [] : [{ bytes: request.initrd, text: "" }];
  return [...initrd, ...(request.modules ?? [])];
}

/** Places a module in a page-aligned range below 4 GiB. Throws INITRD_INVALID when none is left. */
export function placeModule(placement: Placement, { bytes }: BootModule, index: number): GuestWrite {
  const gpa = placement.takeHighest(Math.max(bytes.length, 1), PAGE, ABOVE_1_MIB);
  if (gpa !== undefined) return { gpa, bytes };
  const free = placement.largest(ABOVE_1_MIB);
  throw new VmError(
    "INITRD_INVALID",
    `Boot module ${index} of ${sizeText(bytes.length)} does not fit: ${sizeText(free)} of guest memory are free in one piece`,
    {
      data: { bytes: bytes.length, free },
    },
  );
}
