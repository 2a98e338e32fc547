// The header every system description table starts with (ACPI 6.5 §5.2.6).
//
//   0 Signature   4 Length   8 Revision   9 Checksum   10 OEMID   16 OEM Table ID   24 OEM Revision   28 Creator ID   32 Creator Revision
import { ByteWriter, checksum } from "../byte-writer.ts";

/** Who made the tables, in the header's six characters. */
export const OEM_ID = "NIDO";
const HEADER_BYTES = 36;
const CHECKSUM_AT = 9;

/** A whole table: header, body, checksum. */
export function systemTable(signature: string, revision: number, body: ArrayLike<number>): Uint8Array {
  const w = new ByteWriter()
    .ascii(signature, 4)
    .u32(HEADER_BYTES + body.length)
    .u8(revision)
    .u8(0);
  w.ascii(OEM_ID, 6).ascii(`NIDO${signature}`, 8).u32(1).ascii("NIDO", 4).u32(1);
  const table = w.bytes(body).finish();
  table[CHECKSUM_AT] = checksum(table);
  return table;
}
