// RDMSR, WRMSR, CPUID and the counters.
import { ROUTINE } from "../engine-calls.ts";
import { EFER, CR0, VECTOR } from "../mmu/control.ts";
import { cpuid } from "../cpuid.ts";
import { MSRS, type Msr } from "../msr.ts";
import { at } from "../state.ts";
import type { CpuContext } from "./context.ts";

const canonical = (a: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, a)) === a;

/** The time-stamp counter as the guest reads it. */
export function timeStamp(cpu: CpuContext): bigint {
  return BigInt.asUintN(64, BigInt(cpu.host.readTsc()) + cpu.get64("tscOffset"));
}

function setPair(cpu: CpuContext, value: bigint): void {
  cpu.set64("rax", value & 0xffff_ffffn);
  cpu.set64("rdx", BigInt.asUintN(64, value) >> 32n);
}

const [RAX, RDX, OFFSET] = [at("rax"), at("rdx"), at("tscOffset")];

/** EDX:EAX = the host's ticks, when that is what the guest sees. */
function setTicks({ view, base, host }: CpuContext): boolean {
  if (view.getInt32(base + OFFSET, true) !== 0 || view.getInt32(base + OFFSET + 4, true) !== 0) return false;
  const ticks = host.readTsc();
  const high = Math.floor(ticks / 0x1_0000_0000);
  view.setUint32(base + RAX, ticks - high * 0x1_0000_0000, true);
  view.setUint32(base + RAX + 4, 0, true);
  view.setUint32(base + RDX, high, true);
  view.setUint32(base + RDX + 4, 0, true);
  return true;
}

/** RDTSC and RDTSCP: EDX:EAX. The argument says whether ECX gets IA32_TSC_AUX. */
export function rdtsc(cpu: CpuContext, withAux: number): number {
  // Kernels read it at every system call: without bigints as long as nobody has moved it.
  if (!setTicks(cpu)) setPair(cpu, timeStamp(cpu));
  if (withAux) cpu.set64("rcx", cpu.get64("tscAux"));
  return 0;
}

/** Reads MSR ECX into EDX:EAX. */
export function rdmsr(cpu: CpuContext): number {
  const index = Number(cpu.get64("rcx") & 0xffff_ffffn);
  const fromHost = cpu.host.readMsr(index);
  setPair(cpu, fromHost ?? readOwn(cpu, index));
  return 0;
}

function readOwn(cpu: CpuContext, index: number): bigint {
  if (index === 0x10) return timeStamp(cpu);
  const msr = MSRS.get(index);
  if (!msr || msr.command) return cpu.raise(VECTOR.GP, 0);
  if (msr.slot) return cpu.get64(msr.slot);
  if (msr.offset !== undefined) return cpu.view.getBigUint64(cpu.base + msr.offset, true);
  return msr.constant ?? 0n;
}

/** Writes EDX:EAX to MSR ECX. */
export function wrmsr(cpu: CpuContext): number {
  const index = Number(cpu.get64("rcx") & 0xffff_ffffn);
  const value = ((cpu.get64("rdx") & 0xffff_ffffn) << 32n) | (cpu.get64("rax") & 0xffff_ffffn);
  const taken = cpu.host.writeMsr(index, value);
  if (taken === true) return 0;
  if (taken === false) cpu.raise(VECTOR.GP, 0);
  if (index === 0x10) cpu.set64("tscOffset", value - BigInt(cpu.host.readTsc()));
  else writeOwn(cpu, MSRS.get(index), value);
  return 0;
}

/** UC, WC, WT, WP and WB; PAT entries may also be UC-, 7 (SDM 3A §12.11.2, table 12-10). */
const MEMORY_TYPES = [0n, 1n, 4n, 5n, 6n];

function validTypes(msr: Msr, value: bigint): boolean {
  for (let i = 0; i < (msr.types ?? 0); i++) {
    const type = (value >> BigInt(i * 8)) & 0xffn;
    if (!MEMORY_TYPES.includes(type) && !(type === 7n && msr.slot === "pat")) return false;
  }
  return true;
}

function writeOwn(cpu: CpuContext, msr: Msr | undefined, value: bigint): void {
  if (!msr) cpu.raise(VECTOR.GP, 0);
  if (msr.command) return;
  if (msr.writable === undefined || value & ~msr.writable) cpu.raise(VECTOR.GP, 0);
  if (msr.address && !canonical(value)) cpu.raise(VECTOR.GP, 0);
  if (!validTypes(msr, value)) cpu.raise(VECTOR.GP, 0);
  if (msr.slot === "efer") return writeEfer(cpu, value);
  if (msr.slot) cpu.set64(msr.slot, value);
  else if (msr.offset !== undefined) cpu.view.setBigUint64(cpu.base + msr.offset, value, true);
}

/** LMA follows LME and paging and is not written; LME cannot change while paging is on (SDM 3A §10.8.5). */
function writeEfer(cpu: CpuContext, value: bigint): void {
  const old = cpu.get64("efer");
  const changesLme = ((old ^ value) & BigInt(EFER.LME)) !== 0n;
  if (changesLme && cpu.get32("cr0") & CR0.PG) cpu.raise(VECTOR.GP, 0);
  cpu.set64("efer", (value & ~BigInt(EFER.LMA)) | (old & BigInt(EFER.LMA)));
  cpu.call(ROUTINE.flushTlb);
}

/** 64 random bits into `scratchValue`, for RDRAND and RDSEED. */
export function random(cpu: CpuContext): number {
  cpu.set64("scratchValue", cpu.host.random());
  return 0;
}

/** CPUID into EAX, EBX, ECX, EDX. */
export function cpuidInstruction(cpu: CpuContext): number {
  const leaf = Number(cpu.get64("rax") & 0xffff_ffffn);
  const subleaf = Number(cpu.get64("rcx") & 0xffff_ffffn);
  const [a, b, c, d] = cpuid(leaf, subleaf, { apicId: 0, cpus: 1, cr4: cpu.get32("cr4"), xcr0: cpu.get32("xcr0") });
  cpu.set64("rax", BigInt(a >>> 0));
  cpu.set64("rbx", BigInt(b >>> 0));
  cpu.set64("rcx", BigInt(c >>> 0));
  cpu.set64("rdx", BigInt(d >>> 0));
  return 0;
}
