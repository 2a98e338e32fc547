/* Runs one bare-metal program (programs/prelude.mac) on the host's processor through /dev/kvm:
 *
 *   run MILLISECONDS < IMAGE
 *
 * A line for every check, "check LINE ACTUAL EXPECTED" in hexadecimal, and a last one with how it ended: "end finished", "end halted",
 * "end shutdown", "end timeout", or "end gap REASON" when this host's KVM cannot go on. Exit status 1, with a message on stderr:
 * no KVM here. Numbers of ioctls and fields: Linux, Documentation/virt/kvm/api.rst. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { ORIGIN = 0x8000, RAM_BYTES = 4 << 20, CPUID_ENTRIES = 256 };
enum {
  PORT_ACTUAL = 0x10, PORT_EXPECTED = 0x14, PORT_LINE = 0x18, PORT_INTR = 0x1c, PORT_NMI = 0x1d, PORT_FINISH = 0x1f,
  PORT_HALT_INTR = 0x20, PORT_HALT_NMI = 0x21,
};
enum { NONE = -1 };

static struct kvm_run *run;
static int vcpu;
static int finished, nmi_when_halted;
static int pending_vector = NONE, vector_when_halted = NONE;
static uint32_t actual, expected;

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static int control(int fd, unsigned long request, void *argument, const char *what) {
  int result = ioctl(fd, request, argument);
  if (result < 0) die(what);
  return result;
}

static uint8_t *map(size_t bytes, int flags, int fd) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) die("mmap");
  return at;
}

static uint8_t *load_input(void) {
  uint8_t *ram = map(RAM_BYTES, MAP_SHARED | MAP_ANONYMOUS, -1);
  ssize_t got = 0;
  for (size_t at = ORIGIN; at < RAM_BYTES && (got = read(0, ram + at, RAM_BYTES - at)) > 0; at += got);
  if (got < 0) die("read");
  return ram;
}

/* The guest sees what KVM can give, nothing hidden. */
static void set_cpuid(int kvm) {
  struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[CPUID_ENTRIES]; } all = { .head.nent = CPUID_ENTRIES };
  control(kvm, KVM_GET_SUPPORTED_CPUID, &all, "KVM_GET_SUPPORTED_CPUID");
  control(vcpu, KVM_SET_CPUID2, &all, "KVM_SET_CPUID2");
}

/* As after reset, but at the program's first instruction with CS = 0. */
static void set_registers(void) {
  struct kvm_sregs special;
  control(vcpu, KVM_GET_SREGS, &special, "KVM_GET_SREGS");
  special.cs.base = 0;
  special.cs.selector = 0;
  control(vcpu, KVM_SET_SREGS, &special, "KVM_SET_SREGS");
  struct kvm_regs registers = { .rip = ORIGIN, .rflags = 2 };
  control(vcpu, KVM_SET_REGS, &registers, "KVM_SET_REGS");
}

static void create(void) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) die("/dev/kvm");
  int vm = control(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
  /* Pages that VT-x without unrestricted guests needs, beyond all RAM. */
  uint64_t identity_map = 0xfffbc000;
  ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
  ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000ul);
  struct kvm_userspace_memory_region ram = { .memory_size = RAM_BYTES, .userspace_addr = (uintptr_t)load_input() };
  control(vm, KVM_SET_USER_MEMORY_REGION, &ram, "KVM_SET_USER_MEMORY_REGION");
  vcpu = control(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
  run = (struct kvm_run *)map(control(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE"), MAP_SHARED, vcpu);
  set_cpuid(kvm);
  set_registers();
}

static void on_alarm(int signal) {
  (void)signal;
  run->immediate_exit = 1;
}

/* immediate_exit closes the gap between the check and KVM_RUN; the signal itself ends a KVM_RUN under way. */
static void limit_time(long milliseconds) {
  struct sigaction action = { .sa_handler = on_alarm };
  struct itimerval timer = { .it_value = { milliseconds / 1000, milliseconds % 1000 * 1000 } };
  if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &timer, NULL) < 0) die("setitimer");
}

static void port_write(uint16_t port, uint32_t value) {
  switch (port) {
    case PORT_ACTUAL: actual = value; break;
    case PORT_EXPECTED: expected = value; break;
    case PORT_LINE: printf("check %x %x %x\n", value, actual, expected); break;
    case PORT_INTR: pending_vector = value & 0xff; break;
    case PORT_NMI: control(vcpu, KVM_NMI, 0, "KVM_NMI"); break;
    case PORT_HALT_INTR: vector_when_halted = value & 0xff; break;
    case PORT_HALT_NMI: nmi_when_halted = 1; break;
    case PORT_FINISH: finished = 1; break;
  }
}

static void port_access(void) {
  uint8_t *data = (uint8_t *)run + run->io.data_offset;
  for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
    uint32_t value = 0;
    if (run->io.direction == KVM_EXIT_IO_IN) {
      memset(data, 0xff, run->io.size);
    } else {
      memcpy(&value, data, run->io.size);
      port_write(run->io.port, value);
    }
  }
}

/* What was scheduled for the next halt; 0 when nothing was. */
static int wake(void) {
  if (nmi_when_halted) {
    nmi_when_halted = 0;
    control(vcpu, KVM_NMI, 0, "KVM_NMI");
    return 1;
  }
  if (pending_vector == NONE) {
    pending_vector = vector_when_halted;
    vector_when_halted = NONE;
  }
  return pending_vector != NONE && run->if_flag;
}

/* Injects the interrupt when the processor takes it, and asks to be told when it does. */
static void offer_interrupt(void) {
  run->request_interrupt_window = pending_vector != NONE;
  if (pending_vector == NONE || !run->ready_for_interrupt_injection) return;
  struct kvm_interrupt interrupt = { .irq = pending_vector };
  control(vcpu, KVM_INTERRUPT, &interrupt, "KVM_INTERRUPT");
  pending_vector = NONE;
  run->request_interrupt_window = 0;
}

static void end(const char *how) {
  printf("end %s\n", how);
  exit(0);
}

/* KVM gave up, which says nothing about the processor: which instruction it was. */
static void gap(const char *what, unsigned code) {
  struct kvm_regs registers;
  struct kvm_sregs special;
  control(vcpu, KVM_GET_REGS, &registers, "KVM_GET_REGS");
  control(vcpu, KVM_GET_SREGS, &special, "KVM_GET_SREGS");
  printf("end gap %s %u at %llxh:", what, code, (unsigned long long)(special.cs.base + registers.rip));
  if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR && run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && run->internal.ndata >= 3) {
    const uint8_t *data = (const uint8_t *)&run->internal.data[1];
    for (unsigned i = 0; i < data[0] && i < 4; i++) printf(" %02x", data[1 + i]);
  }
  printf("\n");
  exit(0);
}

static void handle_exit(void) {
  switch (run->exit_reason) {
    case KVM_EXIT_IO: port_access(); break;
    case KVM_EXIT_MMIO:
      if (!run->mmio.is_write) memset(run->mmio.data, 0xff, sizeof run->mmio.data);
      break;
    case KVM_EXIT_IRQ_WINDOW_OPEN: break;
    case KVM_EXIT_HLT:
      if (!wake()) end("halted");
      break;
    case KVM_EXIT_SHUTDOWN: end("shutdown"); break;
    case KVM_EXIT_INTERNAL_ERROR: gap("internal error", run->internal.suberror); break;
    case KVM_EXIT_FAIL_ENTRY: gap("failed entry", (unsigned)run->fail_entry.hardware_entry_failure_reason); break;
    default: gap("exit", run->exit_reason);
  }
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  create();
  limit_time(atol(arguments[1]));
  while (!finished) {
    offer_interrupt();
    if (run->immediate_exit) end("timeout");
    if (ioctl(vcpu, KVM_RUN, 0) == 0) handle_exit();
    else if (errno != EINTR && errno != EAGAIN) gap("error", errno);
  }
  end("finished");
}
