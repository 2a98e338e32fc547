#!/bin/busybox sh
# The whole userland of a kernel in the boot matrix: says what booted and what it complained about, then powers off; or, with the
# word `shell` on the kernel's command line (which the kernel hands to init), first gives a shell on the console.
/bin/busybox mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

# How well a clock could be calibrated is no complaint: on a busy host that comes and goes.
echo "BOOTED $(uname -srvm)"
dmesg | grep -E '^(<[0-9]>)?\[[^]]*\] *(WARNING:|BUG:|Oops|INFO: rcu|Call Trace|.*(cut here|\[Firmware Bug\]|nobody cared|soft lockup|hung_task|stalls? on|unstable|general protection|invalid opcode|Unable to handle|MP-BIOS bug|check_timer))' |
  while read -r line; do echo "COMPLAINT $line"; done
dmesg -r | grep -E '^<[0-3]>' | while read -r line; do echo "ERROR $line"; done
echo "CHECKED $(dmesg | grep -c .)"

[ "$1" = shell ] && PS1='matrix# ' setsid cttyhack sh
poweroff -f
