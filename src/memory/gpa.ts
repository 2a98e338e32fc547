/** Guest-physical address. MAXPHYADDR is at most 52 bits (SDM 3A §4.1.4), so a JS number holds every one exactly. */
export type Gpa = number;

/** 4 GiB: where RAM goes on above the PCI hole. */
export const FOUR_GIB: Gpa = 0x1_0000_0000;

/** Top of the RAM below 4 GiB at most: 3 GiB. From here to 4 GiB lie PCI windows, IO-APIC, local APIC and the firmware ROM. */
export const LOW_RAM_LIMIT: Gpa = 0xc000_0000;
