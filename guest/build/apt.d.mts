/** The fields of a package's record, by their names in the archive's index: Package, Version, Architecture, SHA256, Depends... */
export type PackageRecord = Readonly<Record<string, string>>;

/** One exact package file. */
export interface PinnedPackage {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly sha256: string;
}

export interface Apt {
  readonly suite: string;
  show(name: string, version?: string): Promise<PackageRecord | undefined>;
  /** Throws an Error when one of them is not there. */
  showAll(names: readonly string[]): Promise<PackageRecord[]>;
  versions(name: string): Promise<string[]>;
  download(folder: string, wanted: PinnedPackage): Promise<string>;
  downloadAll(folder: string, wanted: readonly PinnedPackage[]): Promise<string[]>;
}

export declare function openApt(options: {
  readonly root: string;
  readonly suite: string;
  readonly architecture: string;
  readonly mirror?: string | undefined;
}): Promise<Apt>;

export declare function unpack(deb: string, folder: string, paths: readonly string[]): Promise<void>;
export declare function pinOf(record: PackageRecord): PinnedPackage;
export declare function sha256(bytes: Uint8Array): string;
