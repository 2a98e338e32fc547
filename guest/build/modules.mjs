// Kernel modules: what each needs, read from its own .modinfo section, and the modules.dep that modprobe reads. Packages carry no
// modules.dep (depmod makes it on installation), so it is made here for the few modules that the guest has.

/** Finds `wanted` and everything they depend on among `files` (path to bytes); gives paths, dependencies before dependents. */
export function selectModules(files, wanted) {
  const known = new Map(Object.entries(files).map(([path, bytes]) => [moduleName(path), { path, needs: dependencies(bytes) }]));
  const order = [];
  const visit = (name, from) => {
    const module = known.get(name);
    if (module === undefined) throw new Error(`kernel module ${name}${from} is not in the package (built in, or renamed?)`);
    if (order.includes(module.path)) return;
    for (const need of module.needs) visit(need, `, which ${name} needs,`);
    order.push(module.path);
  };
  for (const name of wanted) visit(name, "");
  return order;
}

/** The text of modules.dep for `paths` in the order of selectModules: each with all it needs, deepest last, as modprobe wants it. */
export function modulesDep(files, paths) {
  const lines = paths.map((path) => {
    const needs = selectModules(files, dependencies(files[path])).reverse();
    return `${path}:${needs.map((need) => ` ${need}`).join("")}\n`;
  });
  return lines.join("");
}

/** A module's name: its file name with the dashes that the kernel writes as underscores. */
function moduleName(path) {
  return path
    .slice(path.lastIndexOf("/") + 1)
    .replace(/\.ko$/, "")
    .replaceAll("-", "_");
}

function dependencies(bytes) {
  const field = modinfo(bytes).find((entry) => entry.startsWith("depends="));
  return (field ?? "depends=")
    .slice("depends=".length)
    .split(",")
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("-", "_"));
}

/** The NUL-separated strings of the section .modinfo (ELF-64, little endian; System V gABI, "Section Header"). */
function modinfo(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== 0x7f45_4c46 || bytes[4] !== 2) throw new Error("kernel module is not an ELF-64 file");
  const table = Number(view.getBigUint64(40, true));
  const section = (index) => {
    const at = table + index * view.getUint16(58, true);
    return {
      name: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  };
  const names = section(view.getUint16(62, true));
  const text = (from, to) => Buffer.from(bytes.subarray(from, to)).toString("latin1");
  for (let index = 0; index < view.getUint16(60, true); index++) {
    const { name, offset, size } = section(index);
    const start = names.offset + name;
    if (text(start, start + 9) === ".modinfo\0") return text(offset, offset + size).split("\0");
  }
  throw new Error("kernel module has no .modinfo section");
}
