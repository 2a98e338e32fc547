// Intel 8042 keyboard controller as IBM programmed it for the PC/AT and PS/2 (PS/2 manual "Keyboard and
// Auxiliary Device Controller"; 82C42PC data sheet).
//
//   status, port 64h                                command byte, internal RAM 0
//     7   6   5   4    3   2   1   0                 7    6   5    4    3   2    1    0
//   +---+---+---+----+---+---+---+---+             +---+----+----+----+---+---+----+----+
//   |PAR|TO |MOB|INH |A2 |SYS|IBF|OBF|             | 0 |XLAT|AUX |KBD | 0 |SYS|AUX |KBD |
//   +---+---+---+----+---+---+---+---+             |   |    |OFF |OFF |   |   |INT |INT |
//                                                  +---+----+----+----+---+---+----+----+
//   output port
//     7    6    5    4    3    2   1    0
//   +----+----+----+----+----+----+---+-----+
//   |DATA|CLK |IRQ |IRQ |AUX |AUX |A20|RESET|
//   |    |    |12  |1   |CLK |DATA|   |  #  |
//   +----+----+----+----+----+----+---+-----+

/** Ports: data at 60h; status (read) and command (write) at 64h. */
export const DATA_PORT = 0x60;
export const COMMAND_PORT = 0x64;

/** Status register. */
export const STATUS_OBF = 0x01;
export const STATUS_SYS = 0x04;
export const STATUS_A2 = 0x08;
/** The keyboard lock is open. */
export const STATUS_INH = 0x10;
/** The byte in the output buffer is the auxiliary device's. */
export const STATUS_MOB = 0x20;
export const STATUS_TO = 0x40;

/** Command byte. */
export const COMMAND_BYTE_KBD_INT = 0x01;
export const COMMAND_BYTE_AUX_INT = 0x02;
export const COMMAND_BYTE_SYS = 0x04;
export const COMMAND_BYTE_KBD_OFF = 0x10;
export const COMMAND_BYTE_AUX_OFF = 0x20;
export const COMMAND_BYTE_XLAT = 0x40;

/** Output port. */
export const OUTPUT_RESET = 0x01;
export const OUTPUT_A20 = 0x02;
export const OUTPUT_IRQ1 = 0x10;
export const OUTPUT_IRQ12 = 0x20;
/** As after power-on: not in reset, A20 on, clock and data released. */
export const OUTPUT_POWER_ON = 0xc3;
/** Bits that a command cannot set: they follow the output buffer. */
export const OUTPUT_WRITABLE = 0xcf;

/** Commands, port 64h. */
export const READ_RAM = 0x20;
export const WRITE_RAM = 0x60;
export const RAM_MASK = 0x1f;
export const TEST_PASSWORD = 0xa4;
export const DISABLE_AUX = 0xa7;
export const ENABLE_AUX = 0xa8;
export const TEST_AUX = 0xa9;
export const SELF_TEST = 0xaa;
export const TEST_KEYBOARD = 0xab;
export const DISABLE_KEYBOARD = 0xad;
export const ENABLE_KEYBOARD = 0xae;
export const READ_INPUT_PORT = 0xc0;
export const READ_OUTPUT_PORT = 0xd0;
export const WRITE_OUTPUT_PORT = 0xd1;
export const WRITE_KEYBOARD_BUFFER = 0xd2;
export const WRITE_AUX_BUFFER = 0xd3;
export const WRITE_TO_AUX = 0xd4;
export const DISABLE_A20 = 0xdd;
export const ENABLE_A20 = 0xdf;
export const READ_TEST_INPUTS = 0xe0;
/** F0h..FFh: bits 0 to 3 that are 0 pulse those bits of the output port low; FEh resets the processor. */
export const PULSE_OUTPUT = 0xf0;

/** Answers. */
export const NO_PASSWORD = 0xf1;
export const SELF_TEST_PASSED = 0x55;
export const TEST_PASSED = 0x00;
/** Keyboard lock open, manufacturing jumper absent, 512 KiB of RAM. */
export const INPUT_PORT = 0xb0;
/** What the controller puts into the output buffer when a device does not answer. */
export const NO_ANSWER = 0xfe;

/** A byte on the wire between device and controller: 11 bits at 16.7 kHz. */
export const BYTE_NS: number = 660_000;
