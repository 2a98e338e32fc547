// Numbers of the block device (VIRTIO 1.3 §5.2).
//
//    Request (§5.2.6)                     Discard and write-zeroes segment
//     0h | type, 32 bits     |             0h | sector, 64 bits      |
//     4h | reserved          |             8h | num_sectors, 32 bits |
//     8h | sector, 64 bits   |             Ch | flags, 32 bits       |
//    10h | data ...          |
//        | status, 8 bits    |  the last device-writable byte

/** Feature bits (§5.2.3). */
export const F_SIZE_MAX: bigint = 1n << 1n;
export const F_SEG_MAX: bigint = 1n << 2n;
export const F_RO: bigint = 1n << 5n;
export const F_BLK_SIZE: bigint = 1n << 6n;
export const F_FLUSH: bigint = 1n << 9n;
export const F_TOPOLOGY: bigint = 1n << 10n;
export const F_DISCARD: bigint = 1n << 13n;
export const F_WRITE_ZEROES: bigint = 1n << 14n;

/** Request types. */
export const T_IN = 0;
export const T_OUT = 1;
export const T_FLUSH = 4;
export const T_GET_ID = 8;
export const T_DISCARD = 11;
export const T_WRITE_ZEROES = 13;

/** Request status. */
export const S_OK = 0;
export const S_IOERR = 1;
export const S_UNSUPP = 2;

/** Bytes before the data of a request. */
export const REQUEST_HEADER = 16;
/** Bytes of a discard or write-zeroes segment. */
export const RANGE_SEGMENT = 16;
/** Write-zeroes flag: the space may be deallocated. */
export const RANGE_F_UNMAP = 0x1;
/** Sectors of requests are 512 bytes whatever the block size is. */
export const SECTOR = 512;
/** Bytes of the answer to T_GET_ID. */
export const ID_BYTES = 20;

/** Offsets in the configuration (§5.2.4). */
export const CFG_CAPACITY = 0;
export const CFG_SIZE_MAX = 8;
export const CFG_SEG_MAX = 12;
export const CFG_BLK_SIZE = 20;
export const CFG_PHYSICAL_BLOCK_EXP = 24;
export const CFG_MIN_IO_SIZE = 26;
export const CFG_NUM_QUEUES = 34;
export const CFG_MAX_DISCARD_SECTORS = 36;
export const CFG_MAX_DISCARD_SEG = 40;
export const CFG_DISCARD_ALIGNMENT = 44;
export const CFG_MAX_WRITE_ZEROES_SECTORS = 48;
export const CFG_MAX_WRITE_ZEROES_SEG = 52;
export const CFG_WRITE_ZEROES_MAY_UNMAP = 56;
/** Bytes of configuration. */
export const CFG_LENGTH = 60;
