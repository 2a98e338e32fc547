// CPUID says what works: instructions, control bits, model-specific registers and the leaves among themselves agree.
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMemory } from "../memory/guest-memory.ts";
import { GuestFault } from "./assist/context.ts";
import { writeCr } from "./assist/control.ts";
import { CRYSTAL_HZ, cpuid, FEATURES, SIGNATURE, TSC_HZ } from "./cpuid.ts";
import { Decoder, STATUS } from "./decode/decoder.ts";
import { NO_DEVICES } from "../testing/no-devices.ts";
import { memoryLayout, Processor } from "./engine/processor.ts";
import { ProgramGenerator } from "./engine/generator.ts";
import { INSTRUCTIONS } from "./isa/index.ts";
import { CR4, EFER, PHYSICAL_BITS } from "./mmu/control.ts";
import { MSRS } from "./msr.ts";
import { MODE } from "./state.ts";

const INPUT = { apicId: 0, cpus: 1, cr4: 0, xcr0: 1 } as const;
const leaf = (number: number, subleaf = 0): readonly number[] => cpuid(number, subleaf, INPUT).map((value) => value >>> 0);
const EBX = 1;
const EDX = 3;

/** Features that are no instructions, or none of their own. */
const WITHOUT_INSTRUCTIONS = [
  "vme", "de", "pse", "pae", "mce", "apic", "mtrr", "pge", "mca", "pat", "pse36", "pcid", "x2apic", "tsc_deadline_timer",
  "smep", "erms", "umip", "spec_ctrl", "arch_capabilities", "nx", "pdpe1gb", "lm", "constant_tsc", "fdp_excptn_only", "zero_fcs_fds",
]; // prettier-ignore
/** Features whose instructions are in the base architecture of 64-bit processors and do not name them: one of each, encoded. */
const BY_ENCODING: Readonly<Record<string, readonly number[]>> = {
  fpu: [0xd8, 0xc1],
  tsc: [0x0f, 0x31],
  msr: [0x0f, 0x32],
  sep: [0x0f, 0x34],
  syscall: [0x0f, 0x05],
  lahf_lm: [0x9f],
  "3dnowprefetch": [0x0f, 0x0d, 0x08],
};

/** Instructions of features that are not reported, which are undefined then (SDM 2, "#UD if CPUID…"). */
const UNREPORTED: Readonly<Record<string, readonly number[]>> = {
  "avx vaddps": [0xc5, 0xf4, 0x58, 0xc2],
  "avx vzeroupper": [0xc5, 0xf8, 0x77],
  "avx2 vpaddb": [0xc5, 0xf5, 0xfc, 0xc2],
  "fma vfmadd132ps": [0xc4, 0xe2, 0x71, 0x98, 0xc2],
  "f16c vcvtph2ps": [0xc4, 0xe2, 0x79, 0x13, 0xc1],
  "bmi1 andn": [0xc4, 0xe2, 0x70, 0xf2, 0xc2],
  "bmi2 pdep": [0xc4, 0xe2, 0x73, 0xf5, 0xc2],
  "avx512f vaddps": [0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2],
  "adx adcx": [0x66, 0x0f, 0x38, 0xf6, 0xc1],
  "adx adox": [0xf3, 0x0f, 0x38, 0xf6, 0xc1],
  "sha sha1rnds4": [0x0f, 0x3a, 0xcc, 0xc1, 0x00],
  "sha sha256msg1": [0x0f, 0x38, 0xcc, 0xc1],
  "gfni gf2p8mulb": [0x66, 0x0f, 0x38, 0xcf, 0xc1],
  clflushopt: [0x66, 0x0f, 0xae, 0x38],
  clwb: [0x66, 0x0f, 0xae, 0x30],
  rdpid: [0xf3, 0x0f, 0xc7, 0xf8],
  "pku rdpkru": [0x0f, 0x01, 0xee],
  "rtm xbegin": [0xc7, 0xf8, 0, 0, 0, 0],
  "rtm xend": [0x0f, 0x01, 0xd5],
  xsaves: [0x0f, 0xc7, 0x28],
  movdiri: [0x0f, 0x38, 0xf9, 0x01],
  movdir64b: [0x66, 0x0f, 0x38, 0xf8, 0x01],
  "waitpkg tpause": [0x66, 0x0f, 0xae, 0xf1],
  ptwrite: [0xf3, 0x0f, 0xae, 0xe1],
  serialize: [0x0f, 0x01, 0xe8],
  "vmx vmcall": [0x0f, 0x01, 0xc1],
  "vmx vmxon": [0xf3, 0x0f, 0xc7, 0x30],
  "smx getsec": [0x0f, 0x37],
  "svm vmrun": [0x0f, 0x01, 0xd8],
  "sse4a extrq": [0x66, 0x0f, 0x79, 0xc1],
  "3dnow pfadd": [0x0f, 0x0f, 0xc1, 0x9e],
  "xop vprotb": [0x8f, 0xe8, 0x78, 0xc0, 0xc1, 0x01],
};

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

const RAM = 1 << 20;
const CODE = 0x1000;
const HLT = 0xf4;

/** A processor after reset, and its memory. */
function fresh(): { readonly cpu: Processor; readonly memory: GuestMemory } {
  const memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  return { cpu: new Processor({ program: program.evaluator(), memory, host: NO_DEVICES }), memory };
}

/** Runs code in real-address mode → the vector that it raised, or undefined when it came to its end. */
function vectorOf(code: readonly number[], registers: Readonly<Record<string, bigint>> = {}): number | undefined {
  const { cpu, memory } = fresh();
  for (let vector = 0; vector < 32; vector++) {
    memory.writeUint32(vector * 4, 0x2000 + vector);
    memory.write(0x2000 + vector, Uint8Array.of(HLT));
  }
  memory.write(CODE, Uint8Array.of(...code, HLT));
  cpu.registers.setSegment("cs", { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
  cpu.registers.set("rip", BigInt(CODE));
  cpu.registers.set("rsp", 0x800n);
  for (const [name, value] of Object.entries(registers)) cpu.registers.set(name, value);
  cpu.registers.commit();
  expect(cpu.run(100)).toBe("halt");
  const halted = Number(cpu.registers.get("rip")) - 1;
  return halted === CODE + code.length ? undefined : halted - 0x2000;
}

/** Bits of 0…63 that `accepts` takes. */
const bits = (accepts: (bit: number) => boolean): number[] => Array.from({ length: 64 }, (_, bit) => bit).filter(accepts);
const bitsOf = (mask: number): number[] => bits((bit) => bit < 32 && (mask >>> bit) % 2 === 1);

describe("features and instructions", () => {
  it("are reported when an instruction names them", () => {
    const named = new Set(INSTRUCTIONS.map(({ feature }) => feature).filter((name) => name !== ""));
    for (const name of named) expect(Object.keys(FEATURES)).toContain(name);
  });

  it("have an instruction when they are about instructions", () => {
    const named = new Set(INSTRUCTIONS.map(({ feature }) => feature));
    const others = [...WITHOUT_INSTRUCTIONS, ...Object.keys(BY_ENCODING)];
    const silent = Object.keys(FEATURES).filter((name) => !named.has(name));
    expect(silent.sort()).toEqual(others.sort());
  });

  it.each([1, 7, 0x8000_0001, 0x8000_0007])("of leaf %i are the ones in the table, and no others", (number) => {
    const inTable = ["ebx", "ecx", "edx"].map((register) => {
      const features = Object.values(FEATURES).filter((f) => f.leaf === number && f.register === register);
      return features.reduce((all, f) => all | (1 << f.bit), 0) >>> 0;
    });
    // EBX of leaf 1 says how the processor is called; EAX holds no features.
    const first = number === 1 ? 1 : 0;
    expect(leaf(number).slice(1 + first)).toEqual(inTable.slice(first));
  });

  it.each(Object.entries(BY_ENCODING))("%s is decoded", (_feature, code) => {
    expect(new Decoder(program.plan.tables).decode(Uint8Array.of(...code, 0, 0, 0, 0), 0, code.length + 4, MODE.long)).toBe(STATUS.ok);
  });

  it.each(Object.entries(UNREPORTED))("%s is undefined, in 64-bit and in 32-bit code", (_name, code) => {
    const decoder = new Decoder(program.plan.tables);
    const bytes = Uint8Array.of(...code, ...new Array<number>(15).fill(0));
    expect(decoder.decode(bytes, 0, bytes.length, MODE.long)).toBe(STATUS.undefined);
    // C4, C5, 62 and 8F with two registers: what AVX took from LDS, LES, BOUND and POP, which have none.
    expect(decoder.decode(bytes, 0, bytes.length, MODE.code32 | MODE.stack32)).toBe(STATUS.undefined);
  });

  it("TZCNT and LZCNT are BSF and BSR without BMI1 and LZCNT (SDM 2B)", () => {
    const names = [0xbc, 0xbd].map((opcode) => {
      const decoder = new Decoder(program.plan.tables);
      expect(decoder.decode(Uint8Array.of(0xf3, 0x0f, opcode, 0xc1), 0, 4, MODE.long)).toBe(STATUS.ok);
      return program.set.variants[decoder.row]?.instruction.name;
    });
    expect(names).toEqual(["BSF", "BSR"]);
  });
});

describe("control bits", () => {
  /** The feature that brings each bit of CR4; PCE came with RDPMC, which has no feature bit (SDM 3A §2.5). */
  const CR4_FEATURE: Readonly<Record<keyof typeof CR4, string | undefined>> = {
    VME: "vme", PVI: "vme", TSD: "tsc", DE: "de", PSE: "pse", PAE: "pae", MCE: "mce", PGE: "pge", PCE: undefined, OSFXSR: "fxsr",
    OSXMMEXCPT: "sse", UMIP: "umip", FSGSBASE: "fsgsbase", PCIDE: "pcid", OSXSAVE: "xsave", SMEP: "smep", SMAP: "smap",
  }; // prettier-ignore

  it("of CR4 can be set exactly when their feature is reported", () => {
    const accepted = bits((bit) => {
      const { context } = fresh().cpu;
      context.set64("efer", BigInt(EFER.LMA));
      context.set64("scratchValue", (1n << BigInt(bit)) | BigInt(CR4.PAE));
      try {
        writeCr(context, 4);
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(GuestFault);
        return false;
      }
    });
    for (const feature of Object.values(CR4_FEATURE)) if (feature !== undefined) expect(Object.keys(FEATURES)).toContain(feature);
    expect(accepted).toEqual(bitsOf(Object.values(CR4).reduce((all, bit) => all | bit, 0)));
  });

  it("of EFER can be set exactly when SYSCALL, long mode and NX are reported", () => {
    const accepted = bits((bit) => {
      const value = 1n << BigInt(bit);
      return vectorOf([0x0f, 0x30], { rcx: 0xc000_0080n, rax: value & 0xffff_ffffn, rdx: value >> 32n }) === undefined;
    });
    for (const feature of ["syscall", "lm", "nx"]) expect(Object.keys(FEATURES)).toContain(feature);
    expect(accepted).toEqual(bitsOf(EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE));
  });

  it("of XCR0 can be set exactly when leaf Dh has them (SDM 1 §13.3)", () => {
    const [low, , , high] = leaf(0xd);
    expect(high).toBe(0);
    const accepted = bits((bit) => {
      const value = (1n << BigInt(bit)) | 1n;
      return (
        vectorOf([0x0f, 0x01, 0xd1], { cr4: BigInt(CR4.OSXSAVE), rcx: 0n, rax: value & 0xffff_ffffn, rdx: value >> 32n }) === undefined
      );
    });
    expect(accepted).toEqual(bitsOf(low!));
    expect(vectorOf([0x0f, 0x01, 0xd1], { rcx: 0n, rax: 1n, rdx: 0n })).toBe(6);
  });

  it("show in leaf 1: OSXSAVE follows CR4 (SDM 2A, CPUID)", () => {
    const with_ = cpuid(1, 0, { ...INPUT, cr4: CR4.OSXSAVE });
    expect((with_[2] ^ cpuid(1, 0, INPUT)[2]) >>> 0).toBe(1 << 27);
  });
});

describe("model-specific registers", () => {
  it("exist for the features that have some", () => {
    const needed: Readonly<Record<string, readonly number[]>> = {
      sep: [0x174, 0x175, 0x176],
      mtrr: [0xfe, 0x2ff, 0x250, 0x26f],
      pat: [0x277],
      mca: [0x179, 0x17a],
      spec_ctrl: [0x48, 0x49],
      arch_capabilities: [0x10a],
      syscall: [0xc000_0081, 0xc000_0082, 0xc000_0084],
      lm: [0xc000_0080, 0xc000_0100, 0xc000_0101, 0xc000_0102],
      rdtscp: [0xc000_0103],
      tsc: [0x10],
    };
    for (const [feature, indices] of Object.entries(needed)) {
      expect(Object.keys(FEATURES)).toContain(feature);
      for (const index of indices) expect(MSRS.has(index), `${feature}: ${index.toString(16)}h`).toBe(true);
    }
  });

  it("are as many variable-range MTRRs as IA32_MTRRCAP says", () => {
    const count = Number(MSRS.get(0xfe)!.constant! & 0xffn);
    for (let i = 0; i < count * 2; i++) expect(MSRS.has(0x200 + i)).toBe(true);
    expect(MSRS.has(0x200 + count * 2)).toBe(false);
  });

  it("cover the physical addresses that leaf 80000008h reports, and no more", () => {
    const highest = MSRS.get(0x200)!.writable!;
    expect(highest >> BigInt(PHYSICAL_BITS)).toBe(0n);
    expect(highest >> BigInt(PHYSICAL_BITS - 1)).toBe(1n);
  });
});

describe("leaves", () => {
  const text = (values: readonly number[]): string => Buffer.from(Uint32Array.from(values).buffer).toString("latin1");

  it("have a vendor, and a brand of 48 bytes that ends in zeros", () => {
    const [, b, c, d] = leaf(0);
    expect(text([b!, d!, c!])).toBe("GenuineIntel");
    const brand = text([0x8000_0002, 0x8000_0003, 0x8000_0004].flatMap((number) => [...leaf(number)]));
    expect(brand).toHaveLength(48);
    expect(brand).toMatch(/^Nido [ -~]+\0+$/);
  });

  it("end where leaves 0 and 80000000h say; beyond, the last basic one answers (SDM 2A, CPUID)", () => {
    const last = leaf(0)[0]!;
    expect(leaf(last)).not.toEqual([0, 0, 0, 0]);
    for (const number of [last + 1, 0x4000_0000, 0x7fff_ffff, 0x8000_0009, 0xffff_ffff]) expect(leaf(number)).toEqual(leaf(last));
    expect(leaf(0x8000_0000)[0]).toBe(0x8000_0008);
    expect(leaf(0x8000_0008)).not.toEqual(leaf(last));
  });

  it("agree with EDX after reset about the signature (SDM 3A table 10-1)", () => {
    expect(leaf(1)[0]).toBe(SIGNATURE);
    expect(Number(fresh().cpu.registers.get("rdx"))).toBe(SIGNATURE);
  });

  it("have the address widths that the page walk knows", () => {
    expect(leaf(0x8000_0008)[0]).toBe(PHYSICAL_BITS | (48 << 8));
  });

  it("have the sizes of XSAVE areas: legacy region and header (SDM 1 §13.4)", () => {
    const [components, current, largest] = leaf(0xd);
    expect([components, current, largest]).toEqual([3, 512 + 64, 512 + 64]);
    expect(leaf(0xd, 2)).toEqual([0, 0, 0, 0]);
  });

  it("have the clocks that run: TSC from the crystal, as the base frequency", () => {
    const [denominator, numerator, crystal] = leaf(0x15);
    expect([crystal, (crystal! * numerator!) / denominator!]).toEqual([CRYSTAL_HZ, TSC_HZ]);
    expect(leaf(0x16)[0]! * 1e6).toBe(TSC_HZ);
  });

  it("tell caches that agree with one another and with CLFLUSH", () => {
    const size = ([, b, c]: readonly number[]): number => ((b! >>> 22) + 1) * (((b! >>> 12) & 0x3ff) + 1) * ((b! & 0xfff) + 1) * (c! + 1);
    const caches = [0, 1, 2].map((i) => leaf(4, i));
    expect(caches.map((c) => [c[0]! & 0x1f, (c[0]! >>> 5) & 7])).toEqual([[1, 1], [2, 1], [3, 2]]); // prettier-ignore
    expect(leaf(4, 3)[0]! & 0x1f).toBe(0);
    const l2 = leaf(0x8000_0006)[2]!;
    expect((l2 >>> 16) * 1024).toBe(size(caches[2]!));
    const line = (caches[0]![EBX]! & 0xfff) + 1;
    expect([l2 & 0xff, ((leaf(1)[EBX]! >>> 8) & 0xff) * 8]).toEqual([line, line]);
  });

  it("tell the same number of processors in leaves 1 and Bh, and who is asked", () => {
    for (const cpus of [1, 2, 4, 6]) {
      const ask = (number: number, subleaf = 0): readonly number[] => cpuid(number, subleaf, { ...INPUT, cpus, apicId: cpus - 1 });
      expect((ask(1)[EBX]! >>> 16) & 0xff).toBe(cpus);
      expect(ask(1)[EBX]! >>> 24).toBe(cpus - 1);
      expect(ask(0xb, 1)[EBX]).toBe(cpus);
      expect(ask(0xb, 0)[EDX]).toBe(cpus - 1);
      expect(2 ** ask(0xb, 1)[0]!).toBeGreaterThanOrEqual(cpus);
      expect(ask(0xb, 2).slice(0, 2)).toEqual([0, 0]);
    }
  });
});
