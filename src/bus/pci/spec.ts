// Names of the configuration header's registers and bits (PCI 3.0 §6.1, type 0), by byte offset.
//
//         31            16 15             0
//        +----------------+----------------+
//    00h |   Device ID    |   Vendor ID    |
//    04h |     Status     |    Command     |
//    08h |       Class Code       | Rev ID |
//    0Ch |  BIST | Hdr | Lat. | Cache line |
//    10h |      Base Address Registers     |  to 27h
//    28h |        CardBus CIS Pointer      |
//    2Ch |  Subsystem ID  |  Subsys. Vendor|
//    30h |  Expansion ROM Base Address     |
//    34h |       Reserved        | Cap Ptr |
//    38h |            Reserved             |
//    3Ch | MaxLat| MinGnt | IntPin| IntLine|
//        +----------------+----------------+

/** Bytes of configuration space that mechanism 1 reaches. */
export const CONFIG_SIZE = 256;

/** Registers of the header. */
export const VENDOR_ID = 0x00;
export const DEVICE_ID = 0x02;
export const COMMAND = 0x04;
export const STATUS = 0x06;
export const REVISION_ID = 0x08;
export const CLASS_CODE = 0x09;
export const HEADER_TYPE = 0x0e;
export const BASE_ADDRESS_0 = 0x10;
export const SUBSYSTEM_VENDOR_ID = 0x2c;
export const SUBSYSTEM_ID = 0x2e;
export const CAPABILITIES_POINTER = 0x34;
export const INTERRUPT_LINE = 0x3c;
export const INTERRUPT_PIN = 0x3d;
/** First byte free for capabilities and device-specific registers. */
export const DEVICE_SPECIFIC = 0x40;

/** Base address registers of a type 0 header. */
export const BARS = 6;

/** Command register (PCI 3.0 §6.2.2). */
export const COMMAND_IO = 0x0001;
export const COMMAND_MEMORY = 0x0002;
export const COMMAND_MASTER = 0x0004;
export const COMMAND_PARITY = 0x0040;
export const COMMAND_SERR = 0x0100;
export const COMMAND_INTX_DISABLE = 0x0400;

/** Status register (PCI 3.0 §6.2.3). */
export const STATUS_INTERRUPT = 0x0008;
export const STATUS_CAPABILITIES = 0x0010;
/** Error bits 8 and 11 to 15, cleared by writing ones. */
export const STATUS_ERRORS = 0xf900;

/** Header type bit 7: the device has more than one function (PCI 3.0 §6.2.1). */
export const HEADER_MULTIFUNCTION = 0x80;

/** Base address registers (PCI 3.0 §6.2.5.1): low bits that say what is decoded. */
export const BAR_IO = 0x1;
export const BAR_MEM64 = 0x4;
export const BAR_PREFETCHABLE = 0x8;

/** Capability identifiers (PCI 3.0 appendix H). */
export const CAP_MSI = 0x05;
export const CAP_VENDOR = 0x09;
export const CAP_MSIX = 0x11;
