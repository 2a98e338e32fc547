// A folder for the files of a test.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that goes when it is disposed of. */
export class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "nido-cli-"));

  /** The path of a name in it. */
  at(name: string): string {
    return join(this.path, name);
  }

  /** Writes a file → its path. */
  put(name: string, content: Uint8Array | string): string {
    writeFileSync(this.at(name), content);
    return this.at(name);
  }

  /** Makes a file of so many bytes, most of which take no room → its path. */
  sparse(name: string, bytes: number, start: Uint8Array | string = ""): string {
    const path = this.put(name, start);
    truncateSync(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
