// The host's file errors in words.
import { VmError, type ErrorCode } from "../../support/errors.ts";

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EFBIG: "it would be larger than the file system or a limit allows",
  EIO: "the device reports an error",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ENODEV: "the device is gone",
  ENOENT: "no such file",
  ENOSPC: "no space left on the file system",
  ENOTDIR: "a part of the path is not a directory",
  EPERM: "the system does not allow it",
  EROFS: "the file system is read-only",
  ESTALE: "the file is gone from its server",
  ETXTBSY: "it is a program that is running",
};

/** The system's name of an error (`ENOENT`), if it is one of the system's. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** A VmError for a failed file operation: `Cannot read disk "a.img": the device reports an error`. */
export function ioError(code: ErrorCode, doing: string, path: string, error: unknown): VmError {
  const errno = errnoOf(error);
  const reason = errno === undefined ? String(error) : (WORDS[errno] ?? errno);
  return new VmError(code, `Cannot ${doing} ${JSON.stringify(path)}: ${reason}`, {
    data: { path, ...(errno === undefined ? {} : { errno }) },
    cause: error,
  });
}
