/* Reads instructions, 16 bytes each behind one byte of mode (16, 32, 64), and writes for each what Zydis says:
   one byte of length (0: no such instruction) and one of ISA set class (1: beyond x86-64-v2, 0: within).
   The other disassembler of the decoder's test. */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

/* Extensions that an x86-64-v2 processor as CPUID describes it does not have. */
static const char *const within[] = {
  "BASE", "LONGMODE", "X87", "MMX", "PENTIUMMMX", "SSE", "SSE2", "SSE3", "SSSE3", "SSE4", "AES", "PCLMULQDQ", "XSAVE", "XSAVEOPT", "XSAVEC",
  "RDTSCP", "RDRAND", "RDSEED", "RDWRFSGS", "MOVBE", "CLFSH", "MONITOR", "INVPCID", "SMAP", "PAUSE", "PREFETCHW", "3DNOW_PREFETCH",
};

static int beyond(const ZydisDecodedInstruction *i) {
  const char *ext = ZydisISAExtGetString(i->meta.isa_ext);
  const char *set = ZydisISASetGetString(i->meta.isa_set);
  (void)set;
  if (i->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW) return 1;
  for (unsigned n = 0; n < sizeof within / sizeof *within; n++) if (!strcmp(ext, within[n])) return 0;
  return 1;
}

int main(int argc, char **argv) {
  ZydisDecoder d16, d32, d64;
  ZydisDecoderInit(&d16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  ZydisDecoderInit(&d32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  ZydisDecoderInit(&d64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  static unsigned char in[17 * 4096], out[2 * 4096];
  int verbose = argc > 1;
  size_t got;
  while ((got = fread(in, 17, 4096, stdin)) > 0) {
    for (size_t k = 0; k < got; k++) {
      const unsigned char *c = in + 17 * k;
      const ZydisDecoder *d = c[0] == 64 ? &d64 : c[0] == 32 ? &d32 : &d16;
      ZydisDecodedInstruction i;
      if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(d, ZYAN_NULL, c + 1, 15, &i))) { out[2 * k] = 0; out[2 * k + 1] = 0; continue; }
      out[2 * k] = i.length;
      out[2 * k + 1] = beyond(&i);
      if (verbose) fprintf(stderr, "%s %s %s\n", ZydisMnemonicGetString(i.mnemonic), ZydisISAExtGetString(i.meta.isa_ext), ZydisISASetGetString(i.meta.isa_set));
    }
    fwrite(out, 2, got, stdout);
  }
  return 0;
}
