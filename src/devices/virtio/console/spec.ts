// Numbers of the console device (VIRTIO 1.3 §5.3).
//
//    Configuration (§5.3.4)       Control message (§5.3.6.2)
//     0h | cols  | rows  |         0h | id, 32 bits      |
//     4h | max_nr_ports  |         4h | event  |  value  |
//     8h | emerg_wr      |         8h | name, or cols and rows of 16 bits

/** Feature bits (§5.3.3). */
export const F_SIZE: bigint = 1n << 0n;
export const F_MULTIPORT: bigint = 1n << 1n;
export const F_EMERG_WRITE: bigint = 1n << 2n;

/** Configuration. */
export const CFG_COLS = 0;
export const CFG_ROWS = 2;
export const CFG_MAX_NR_PORTS = 4;
export const CFG_EMERG_WR = 8;
export const CFG_LENGTH = 12;

/** Control events (§5.3.6.2). */
export const DEVICE_READY = 0;
export const DEVICE_ADD = 1;
export const PORT_READY = 3;
export const CONSOLE_PORT = 4;
export const RESIZE = 5;
export const PORT_OPEN = 6;
export const PORT_NAME = 7;

/** Bytes of a control message without name or size. */
export const CONTROL = 8;

/** Queues (§5.3.2): those of port 0, the control queues, then two a port. */
export const CONTROL_RECEIVEQ = 2;
export const CONTROL_TRANSMITQ = 3;

/** The queue on which a port receives; it transmits on the next one. */
export function receiveQueue(port: number): number {
  return port === 0 ? 0 : 2 + 2 * port;
}
