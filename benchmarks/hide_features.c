/* Lets a program run as on an older CPU: answers CPUID without the features of newer ones. Linux on x86-64.

       NERLITE_CPU_LEVEL=avx2 LD_PRELOAD=./hide_features.so PROGRAM

   "avx2" hides all that came after AVX2, "vnni" AMX alone. The kernel lets a process fault where it asks for CPUID. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012 /* of Linux's asm/prctl.h */
#define BIT(n) (1u << (n))

/* Registers EAX, EBX, ECX and EDX of leaf 7: subleaf 0, then 1. */
static const uint32_t AMX[2][4] = {
    {0, 0, 0, BIT(22) | BIT(24) | BIT(25)}, /* BF16, TILE, INT8 */
    {BIT(21), 0, 0, BIT(8)},                /* FP16, COMPLEX */
};
static const uint32_t AFTER_AVX2[2][4] = {
    {0,
     BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31), /* AVX-512 */
     BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14),                                 /* VBMI, VNNI and others */
     BIT(2) | BIT(3) | BIT(8) | BIT(23)},                                           /* FP16 and others */
    {BIT(4) | BIT(5) | BIT(23), 0, 0, BIT(4) | BIT(5) | BIT(10) | BIT(19)}, /* AVX-VNNI, BF16, AVX-IFMA, AVX10 */
};
static int only_amx;

static void allow_cpuid(long allowed) {
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed)) {
        perror("hide_features: this CPU or kernel cannot let CPUID fault");
        _exit(1);
    }
}

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)registers[REG_RIP];
    if (code[0] != 0x0f || code[1] != 0xa2) { /* not CPUID: a fault of the program itself */
        signal(number, SIG_DFL);
        return;
    }
    uint32_t leaf = registers[REG_RAX], subleaf = registers[REG_RCX], said[4];
    allow_cpuid(1);
    __asm__ volatile("cpuid" : "=a"(said[0]), "=b"(said[1]), "=c"(said[2]), "=d"(said[3]) : "a"(leaf), "c"(subleaf));
    allow_cpuid(0);
    for (int i = 0; leaf == 7 && subleaf < 2 && i < 4; i++)
        said[i] &= ~(AMX[subleaf][i] | (only_amx ? 0 : AFTER_AVX2[subleaf][i]));
    registers[REG_RAX] = said[0];
    registers[REG_RBX] = said[1];
    registers[REG_RCX] = said[2];
    registers[REG_RDX] = said[3];
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    const char *level = getenv("NERLITE_CPU_LEVEL");
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    only_amx = level && strcmp(level, "vnni") == 0;
    sigaction(SIGSEGV, &action, NULL);
    allow_cpuid(0);
}
