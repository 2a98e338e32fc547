/** Kernel modules by their paths. */
export type ModuleFiles = Readonly<Record<string, Uint8Array>>;

export declare function selectModules(files: ModuleFiles, wanted: readonly string[]): string[];
export declare function modulesDep(files: ModuleFiles, paths: readonly string[]): string;
