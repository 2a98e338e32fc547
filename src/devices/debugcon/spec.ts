// QEMU's isa-debugcon with the port that SeaBIOS and OVMF expect. One register: write a character, read the presence byte.

/** Where firmware looks for it. */
export const DEFAULT_PORT = 0x402;
/** What a read gives, to tell the console from a floating bus. */
export const READBACK = 0xe9;
