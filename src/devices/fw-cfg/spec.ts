// QEMU fw_cfg: how firmware asks its hypervisor for the machine's configuration and for files.

/** I/O ports: selector (16 bits, little-endian), data (bytes), and the DMA address (64 bits, big-endian). */
export const SELECTOR_PORT = 0x510;
export const DATA_PORT = 0x511;
export const DMA_PORT = 0x514;
export const DMA_PORT_BYTES = 8;

/** Items with fixed selectors. */
export const FW_CFG_SIGNATURE = 0x0000;
export const FW_CFG_ID = 0x0001;
export const FW_CFG_FILE_DIR = 0x0019;
/** The first file's selector. */
export const FW_CFG_FILE_FIRST = 0x0020;
/** Bit 14 asked for writing once, and is ignored; bit 15 selects the items of this architecture. */
export const SELECTOR_MASK = 0xbfff;

/** What FW_CFG_SIGNATURE holds. */
export const SIGNATURE = "QEMU";
/** What the DMA address register reads as. */
export const DMA_SIGNATURE = "QEMU CFG";
/** FW_CFG_ID: the traditional interface and DMA. */
export const FEATURES = 0b11;

// A directory entry: after a big-endian count of entries, each is
//
//   0        4          6          8                       64
//  ┌────────┬──────────┬──────────┬───────────────────────┐
//  │  size  │ selector │ reserved │ name, zero-terminated │      big-endian
//  └────────┴──────────┴──────────┴───────────────────────┘
export const DIRECTORY_ENTRY_BYTES = 64;
export const NAME_BYTES = 56;

// FWCfgDmaAccess in guest memory, big-endian:
//
//   0         4        8                16
//  ┌─────────┬────────┬────────────────┐
//  │ control │ length │    address     │
//  └─────────┴────────┴────────────────┘
export const DMA_ACCESS_BYTES = 16;
export const DMA_ERROR = 0x01;
export const DMA_READ = 0x02;
export const DMA_SKIP = 0x04;
export const DMA_SELECT = 0x08;
export const DMA_WRITE = 0x10;
/** The selector of DMA_SELECT is in the control word's upper half. */
export const DMA_SELECTOR_SHIFT = 16;

/** What we hand out at most. */
export const MAX_FILES = 256;
export const MAX_FILE_BYTES = 0x1000_0000;
