// A private apt: its own sources, package lists and cache in one folder. The host's apt gives the mirror, the proxy and the keys;
// its state is never written and its package lists are not used, so that any Debian release can fetch from any other.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const COMMAND_LIMIT_MS = 300_000;
const OUTPUT_LIMIT = 64 << 20;
const ARCHIVE_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DAY_MS = 86_400_000;

/** Opens the private apt in `root` for one `suite` and `architecture`, from `mirror` or else the host's own Debian mirror. */
export async function openApt({ root, suite, architecture, mirror }) {
  const configuration = join(root, "apt.conf");
  const environment = { ...process.env, APT_CONFIG: configuration, LC_ALL: "C" };
  const apt = (program, ...args) => command(program, args, { env: environment, cwd: root });
  await prepare(root, configuration, { suite, architecture, mirror: mirror ?? (await hostMirror()) });
  await update(root, apt);
  return {
    suite,
    show: (name, version) => show(apt, name, version),
    showAll: (names) => showAll(apt, names),
    versions: (name) => versions(apt, name),
    download: async (folder, wanted) => (await download(apt, root, folder, [wanted]))[0],
    downloadAll: (folder, wanted) => download(apt, root, folder, wanted),
  };
}

/** Unpacks the given `paths` (as `./usr/...`, directories with all they hold) of a .deb into `folder`. */
export async function unpack(deb, folder, paths) {
  await mkdir(folder, { recursive: true });
  const script = 'dpkg-deb --fsys-tarfile "$0" | tar -x -C "$1" --no-same-owner "${@:2}"';
  await command("bash", ["-o", "pipefail", "-c", script, deb, folder, ...paths], {});
}

/** What a package's record says of its file. */
export function pinOf({ Package, Version, Architecture, SHA256 }) {
  return { package: Package, version: Version, architecture: Architecture, sha256: SHA256 };
}

/** The SHA-256 of a file or of bytes, in hexadecimal. */
export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

async function command(program, args, options) {
  try {
    return (await run(program, args, { ...options, timeout: COMMAND_LIMIT_MS, maxBuffer: OUTPUT_LIMIT })).stdout;
  } catch (error) {
    if (error.code === "ENOENT") throw new Error(`${program} is not installed here (this needs a Debian host)`, { cause: error });
    const lines = (error.stderr ?? "").split("\n").filter((line) => line.startsWith("E: "));
    const reason = error.killed ? `took longer than ${COMMAND_LIMIT_MS / 1000} s` : lines.join(" ") || error.message;
    throw new Error(`${program} ${args.join(" ")}: ${reason}`, { cause: error });
  }
}

/** Where the host fetches Debian itself from. Every suite and architecture lies below the same address. */
async function hostMirror() {
  const format = "$(ORIGIN)|$(LABEL)|$(REPO_URI)";
  const targets = await command("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], {});
  const debian = targets.split("\n").find((line) => line.startsWith("Debian|Debian|"));
  if (debian === undefined) throw new Error("the host's apt knows no Debian mirror; give one with --mirror (or run apt-get update)");
  return debian.split("|")[2];
}

async function prepare(root, configuration, { suite, architecture, mirror }) {
  for (const folder of ["etc/apt/preferences.d", "etc/apt/sources.list.d", "state/lists/partial", "cache/archives/partial"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  const signed = existsSync(ARCHIVE_KEYRING) ? ` [signed-by=${ARCHIVE_KEYRING}]` : "";
  await writeFile(join(root, "etc/apt/sources.list"), `deb${signed} ${mirror} ${suite} main\n`);
  await writeFile(join(root, "status"), "");
  const transport = (await command("apt-config", ["dump"], {}))
    .split("\n")
    .filter((line) => /^Acquire::(http|https|Retries|ForceIPv)/.test(line));
  await writeFile(configuration, [...transport, ...settings(root, architecture)].join("\n") + "\n");
}

function settings(root, architecture) {
  return Object.entries({
    Dir: root,
    "Dir::Etc": join(root, "etc/apt"),
    "Dir::Etc::netrc": "/etc/apt/auth.conf",
    "Dir::Etc::netrcparts": "/etc/apt/auth.conf.d",
    "Dir::Etc::trustedparts": "/etc/apt/trusted.gpg.d",
    "Dir::State": join(root, "state"),
    "Dir::State::status": join(root, "status"),
    "Dir::Cache": join(root, "cache"),
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::PDiffs": "false",
    // Lists as they were sent, and no binary caches of them: a tenth of the room.
    "Acquire::GzipIndexes": "true",
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "Acquire::http::Timeout": "30",
  }).map(([key, value]) => `${key} "${value}";`);
}

/** Fetches the package lists, at most once a day: a pinned version is found in older lists as well. */
async function update(root, apt) {
  const stamp = join(root, "updated");
  const sources = await readFile(join(root, "etc/apt/sources.list"), "utf8");
  const [time, fetched] = existsSync(stamp) ? (await readFile(stamp, "utf8")).split("|") : ["0"];
  if (fetched === sources && Date.now() - Number(time) < DAY_MS) return;
  await apt("apt-get", "update", "--error-on=any");
  await writeFile(stamp, `${Date.now()}|${sources}`);
}

/** The fields of a package's record (of its newest version unless `version` says which), or undefined. */
async function show(apt, name, version) {
  const which = version === undefined ? name : `${name}=${version}`;
  const text = await apt("apt-cache", "show", "--no-all-versions", which).catch(() => "");
  const record = fieldsOf(text.split("\n\n")[0]);
  return record.Package === name ? record : undefined;
}

/** The records of the newest versions of several packages, which must all be there. Reads the package lists once. */
async function showAll(apt, names) {
  const text = names.length === 0 ? "" : await apt("apt-cache", "show", "--no-all-versions", ...names);
  const records = new Map(text.split("\n\n").map((paragraph) => [fieldsOf(paragraph).Package, fieldsOf(paragraph)]));
  return names.map((name) => {
    const record = records.get(name);
    if (record === undefined) throw new Error(`the archive has no package ${name}`);
    return record;
  });
}

function fieldsOf(paragraph) {
  return Object.fromEntries([...paragraph.matchAll(/^([A-Za-z0-9-]+): (.*)$/gm)].map(([, key, value]) => [key, value]));
}

async function versions(apt, name) {
  const lines = (await apt("apt-cache", "madison", name)).split("\n");
  return lines.map((line) => line.split("|")[1]?.trim()).filter((version) => version !== undefined);
}

/** Downloads package versions into `folder` and gives their paths; each file must have the SHA-256 that is wanted. */
async function download(apt, root, folder, wanted) {
  if (wanted.length === 0) return [];
  await apt("apt-get", "download", ...wanted.map((pin) => `${pin.package}=${pin.version}`));
  await mkdir(folder, { recursive: true });
  const paths = [];
  for (const pin of wanted) {
    // apt-get download percent-encodes the epoch's colon, and only that, in the file name.
    const file = `${pin.package}_${pin.version.replaceAll(":", "%3a")}_${pin.architecture}.deb`;
    const digest = sha256(await readFile(join(root, file)));
    if (digest !== pin.sha256) throw new Error(`${file}: SHA-256 is ${digest}, expected ${pin.sha256}`);
    await rename(join(root, file), join(folder, file));
    paths.push(join(folder, file));
  }
  return paths;
}
