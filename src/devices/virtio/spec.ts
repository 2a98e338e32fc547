// Numbers of VIRTIO 1.3 that every device and transport shares.
//
//    Split virtqueue (§2.7)
//
//    Descriptor, 16 bytes        Available ring              Used ring
//     0h | address, 64 bits |     0h | flags    |             0h | flags    |
//     8h | length, 32 bits  |     2h | idx      |             2h | idx      |
//     Ch | flags | next     |     4h | ring[size] x 2 bytes   4h | ring[size] x { id, len: 32 bits }
//                                    | used_event |              | avail_event |

/** Device status bits (§2.1). */
export const STATUS_ACKNOWLEDGE = 0x01;
export const STATUS_DRIVER = 0x02;
export const STATUS_DRIVER_OK = 0x04;
export const STATUS_FEATURES_OK = 0x08;
export const STATUS_DEVICE_NEEDS_RESET = 0x40;
export const STATUS_FAILED = 0x80;

/** Reserved feature bits (§6). */
export const F_INDIRECT_DESC: bigint = 1n << 28n;
export const F_EVENT_IDX: bigint = 1n << 29n;
export const F_VERSION_1: bigint = 1n << 32n;

/** Descriptor flags (§2.7.5). */
export const DESC_F_NEXT = 0x1;
export const DESC_F_WRITE = 0x2;
export const DESC_F_INDIRECT = 0x4;
/** Bytes of a descriptor. */
export const DESCRIPTOR = 16;

/** Available ring flag (§2.7.6): the driver does not want to be interrupted. */
export const AVAIL_F_NO_INTERRUPT = 0x1;

/** Largest split virtqueue (§2.7). */
export const QUEUE_SIZE_MAX = 32_768;

/** Interrupt status bits (§4.1.4.5, §4.2.2). */
export const ISR_QUEUE = 0x1;
export const ISR_CONFIG = 0x2;

/** "No vector" in the PCI transport (§4.1.5.1.2). */
export const NO_VECTOR = 0xffff;

/** Device types (§5). */
export const TYPE_NETWORK = 1;
export const TYPE_BLOCK = 2;
export const TYPE_CONSOLE = 3;
export const TYPE_ENTROPY = 4;
