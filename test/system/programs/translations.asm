; What may be remembered of the paging structures and what makes the processor look again: INVLPG, MOV to CR3 and CR4, PCIDs,
; INVPCID, global pages, code included (SDM 3A §4.10). Where the manual leaves the old translation to choice, both are right.
%include "long.mac"

INVALID equ 0xbad

; [%1] is the old or the new value: the processor may still use the old translation (§4.10.4.3).
%macro EITHER 3.nolist
        mov     ecx, [%1]
        cmp     ecx, %2
        je      %%good
        cmp     ecx, %3
        je      %%good
        CHECK   ecx, INVALID
%%good: CHECK   ecx, ecx
%endmacro

; An INVPCID descriptor: PCID, linear address; then the instruction's type goes into RAX.
%macro PCID_DESCRIPTOR 3.nolist     ; upper and lower half of the first 8 bytes, linear address
        mov     dword [descriptor], %2
        mov     dword [descriptor + 4], %1
        mov     qword [descriptor + 8], %3
%endmacro

; The entry of PAGE(0) changes without INVLPG.
%macro POINT_TO 2.nolist
        mov     dword [ENTRY(0)], FRAME(%1) | %2
%endmacro

start:
        ENTER_LONG
        mov     dword [ALIAS(0)], 0xa0a0
        mov     dword [ALIAS(1)], 0xa1a1
        mov     dword [ALIAS(2)], 0xa2a2

; Entries that are not present are not remembered (§4.10.2.3): making one present needs no invalidation.
        PAGE_FAULTS 0, PAGE(0), {mov eax, [PAGE(0)]}
        POINT_TO 0, P | W
        CHECK   [PAGE(0)], 0xa0a0
; Another frame: either until INVLPG, the new one from then on.
        POINT_TO 1, P | W
        EITHER  PAGE(0), 0xa0a0, 0xa1a1
        invlpg  [PAGE(0) + 0x123]               ; any address in the page
        CHECK   [PAGE(0)], 0xa1a1
; INVLPG takes the segment's base: FS.
        CHECK   [PAGE(0)], 0xa1a1
        POINT_TO 2, P | W
        WRITE_MSR 0xc0000100, 0, PAGE(0) - 0x50
        invlpg  [fs:0x50]
        CHECK   [PAGE(0)], 0xa2a2
; MOV to CR3.
        POINT_TO 0, P | W
        mov     rax, cr3
        mov     cr3, rax
        CHECK   [PAGE(0)], 0xa0a0
; More rights: a stale translation may fault once; that fault forgets it (§4.10.4.1, last item), so the second try succeeds.
        SET_CR  cr0, CR0_WP
        MAP     0, FRAME(0) | P
        mov     eax, [PAGE(0)]
        POINT_TO 0, P | W
        mov     dword [RESUME], .retry
.retry: mov     dword [PAGE(0) + 8], 0x1234
        CHECK   [ALIAS(0) + 8], 0x1234
; Fewer rights, after INVLPG: no longer.
        POINT_TO 0, P
        invlpg  [PAGE(0)]
        PAGE_FAULTS EP | EW, PAGE(0) + 8, {mov dword [PAGE(0) + 8], 5}
        CLEAR_CR cr0, CR0_WP
; Accessed and dirty flags that software clears are set again after INVLPG (§4.8).
        MAP     0, FRAME(0) | P | W
        mov     [PAGE(0)], dword 0xa0a0
        MAP     0, FRAME(0) | P | W
        mov     eax, [PAGE(0)]
        CHECK   [ENTRY(0)], FRAME(0) | P | W | A
        mov     [PAGE(0)], dword 0xa0a0
        CHECK   [ENTRY(0)], FRAME(0) | P | W | A | D
; A table that moves: INVLPG forgets the upper levels too (§4.10.4.1, paging-structure caches).
        mov     dword [ALIAS(8)], FRAME(1) | P | W
        mov     dword [PD + 8], FRAME(8) | P | W | U
        invlpg  [PAGE(0)]
        CHECK   [PAGE(0)], 0xa1a1
        mov     dword [PD + 8], WINDOW_PT | P | W | U
        invlpg  [PAGE(0)]
        CHECK   [PAGE(0)], 0xa0a0
; A large page that becomes a table: all of it is forgotten by one INVLPG (§4.10.4.1).
        mov     dword [PD + 24], FRAMES | P | W | PS
        mov     eax, [0x600000]
        mov     eax, [0x601000]
        mov     eax, [0x602000]
        mov     dword [ENTRY(1)], FRAME(2) | P | W
        mov     dword [PD + 24], WINDOW_PT | P | W
        invlpg  [0x600000 + 0x5000]
        CHECK   [0x600000], 0xa0a0
        CHECK   [0x601000], 0xa2a2
; INVLPG's operand: addresses that are not canonical do nothing; level 3 is refused (SDM 2A, INVLPG).
        mov     rax, 0x800000000000
        PASSES  invlpg [rax]
        ENTER3  IOPL3
        FAULTS  13, 0, {invlpg [rax]}
        LEAVE3

; Global pages: MOV to CR3 may keep them, INVLPG and a change of CR4.PGE do not (§4.10.2.4, §4.10.4.1).
        SET_CR  cr4, CR4_PGE
        MAP     0, FRAME(0) | P | W | G
        CHECK   [PAGE(0)], 0xa0a0
        POINT_TO 1, P | W | G
        mov     rax, cr3
        mov     cr3, rax
        EITHER  PAGE(0), 0xa0a0, 0xa1a1
        invlpg  [PAGE(0)]
        CHECK   [PAGE(0)], 0xa1a1
        POINT_TO 2, P | W | G
        CLEAR_CR cr4, CR4_PGE
        CHECK   [PAGE(0)], 0xa2a2

; Code: the same rules hold for fetches.
        COPY    returns1, returns1_end, ALIAS(4)
        COPY    returns1, returns1_end, ALIAS(5)
        mov     byte [ALIAS(5) + 1], 2
        MAP     0, FRAME(4) | P | W
        call    PAGE(0)
        CHECK   ecx, 1
        POINT_TO 5, P | W
        call    PAGE(0)
        cmp     ecx, 1
        je      .either
        CHECK   ecx, 2
.either:
        invlpg  [PAGE(0)]
        call    PAGE(0)
        CHECK   ecx, 2
        POINT_TO 4, P | W
        mov     rax, cr3
        mov     cr3, rax
        call    PAGE(0)
        CHECK   ecx, 1
; INVLPG serializes (§8.3): what follows it in the page that it names comes from the new frame.
        COPY    moves_away, moves_away_end, ALIAS(6)
        COPY    moves_away, moves_away_end, ALIAS(7)
        mov     byte [ALIAS(7) + moves_away.value - moves_away + 1], 2
        MAP     0, FRAME(6) | P | W
        call    PAGE(0)
        CHECK   ecx, 2
; The same by MOV to CR3.
        mov     dword [ALIAS(6) + moves_away.invalidate - moves_away], 0x90d8220f      ; mov cr3, rax; nop
        mov     dword [ALIAS(6) + moves_away.invalidate - moves_away + 4], 0x90909090
        mov     dword [ALIAS(7) + moves_away.invalidate - moves_away], 0x90d8220f
        mov     dword [ALIAS(7) + moves_away.invalidate - moves_away + 4], 0x90909090
        MAP     0, FRAME(6) | P | W
        mov     rax, cr3
        call    PAGE(0)
        CHECK   ecx, 2

; MOV to CR3 refuses bits beyond the address width, bit 63 among them while CR4.PCIDE is clear (SDM 2B, MOV CR).
        mov     rax, PML4 | (1 << 63)
        FAULTS  13, 0, {mov cr3, rax}
        mov     rax, PML4 | (1 << 52)
        FAULTS  13, 0, {mov cr3, rax}
; CR4.PCIDE cannot be set while CR3[11:0] is not 0 (§4.10.1).
        mov     eax, PML4 | 8
        mov     cr3, rax
        mov     rax, cr4
        or      rax, CR4_PCIDE
        FAULTS  13, 0, {mov cr4, rax}
        mov     eax, PML4
        mov     cr3, rax
        SET_CR  cr4, CR4_PCIDE
; With it bit 63 of the operand keeps the PCID's translations and is not stored; bits 62–52 are still reserved.
        mov     rax, PML4 | 1 | (1 << 63)
        PASSES  {mov cr3, rax}
        mov     rax, cr3
        CHECK   eax, PML4 | 1
        shr     rax, 32
        CHECK   eax, 0
        mov     rax, PML4 | 1 | (1 << 62)
        FAULTS  13, 0, {mov cr3, rax}
; Paging cannot be left in 64-bit mode, and not with PCIDE set (§4.10.1).
        mov     rax, cr0
        and     eax, 0x7fffffff
        FAULTS  13, 0, {mov cr0, rax}

; Two address spaces with PCIDs 1 and 2 and different tables: each its own translation, kept or not.
OTHER_PML4 equ FRAME(32)
        mov     edi, ALIAS(32)
        mov     ecx, 0x4000 / 4
        xor     eax, eax
        rep     stosd
        mov     dword [ALIAS(32)], FRAME(33) | P | W | U
        mov     dword [ALIAS(33)], FRAME(34) | P | W | U
        mov     dword [ALIAS(34)], P | W | U | PS
        mov     dword [ALIAS(34) + 8], FRAME(35) | P | W | U
        mov     dword [ALIAS(34) + 16], FRAMES | P | W | U | PS
        mov     dword [ALIAS(35)], FRAME(1) | P | W
        MAP     0, FRAME(0) | P | W
        mov     eax, PML4 | 1
        mov     cr3, rax
        CHECK   [PAGE(0)], 0xa0a0
        mov     rax, OTHER_PML4 | 2 | (1 << 63)
        mov     cr3, rax
        CHECK   [PAGE(0)], 0xa1a1
        mov     rax, PML4 | 1 | (1 << 63)
        mov     cr3, rax
        CHECK   [PAGE(0)], 0xa0a0
; Without bit 63 the PCID's translations go.
        POINT_TO 2, P | W
        EITHER  PAGE(0), 0xa0a0, 0xa2a2
        mov     eax, PML4 | 1
        mov     cr3, rax
        CHECK   [PAGE(0)], 0xa2a2

; INVPCID: type 0, one address of one PCID; 1, a PCID; 2, everything; 3, everything but global pages (SDM 2A, INVPCID).
%macro INVALIDATES 2                ; type, linear address of the descriptor
        POINT_TO 0, P | W
        EITHER  PAGE(0), 0xa2a2, 0xa0a0
        PCID_DESCRIPTOR 0, 1, %2
        mov     eax, %1
        PASSES  {invpcid rax, [descriptor]}
        CHECK   [PAGE(0)], 0xa0a0
        MAP     0, FRAME(2) | P | W
        CHECK   [PAGE(0)], 0xa2a2
%endmacro
        INVALIDATES 0, PAGE(0) + 7
        INVALIDATES 1, 0
        INVALIDATES 2, 0
        INVALIDATES 3, 0
; Its checks: type, reserved bits, canonical address for type 0, PCID without PCIDE, level, and the descriptor is read.
        mov     eax, 4
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        mov     rax, 1 << 32
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        PCID_DESCRIPTOR 0, 0x1001, 0
        xor     eax, eax
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        PCID_DESCRIPTOR 0x80000000, 1, 0
        mov     eax, 1
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        PCID_DESCRIPTOR 0, 1, 0
        mov     dword [descriptor + 12], 0x8000
        FAULTS  13, 0, {invpcid rcx, [descriptor]}
        xor     eax, eax
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        mov     eax, 1
        PASSES  {invpcid rax, [descriptor]}             ; only type 0 has an address
        PAGE_FAULTS 0, PAGE(9), {invpcid rax, [PAGE(9)]}
        ENTER3  IOPL3
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        LEAVE3
        mov     eax, PML4
        mov     cr3, rax
        CLEAR_CR cr4, CR4_PCIDE
        PCID_DESCRIPTOR 0, 1, 0
        xor     eax, eax
        FAULTS  13, 0, {invpcid rax, [descriptor]}
        PCID_DESCRIPTOR 0, 0, PAGE(0)
        xor     eax, eax
        PASSES  {invpcid rax, [descriptor]}
        out     PORT_FINISH, al
        jmp     $

returns1:
        mov     ecx, 1
        ret
returns1_end:

; Maps its own page elsewhere; goes on there.
moves_away:
        mov     dword [ENTRY(0)], FRAME(7) | P | W
.invalidate:
        invlpg  [PAGE(0)]
.value: mov     ecx, 1
        ret
moves_away_end:

        LEAVE3_HANDLER
        STUBS   64

align 16
descriptor:     dq 0, 0

        GDT_START
        GDT_END
