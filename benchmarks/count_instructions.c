/* Counts the instructions that a program runs, for qemu's user mode emulation (plugins of version 1):

       qemu-aarch64 -plugin ./count_instructions.so PROGRAM

   Wherever the program calls prctl(MARK), the count since the last such call is written to standard error. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PRCTL 167       /* of Linux's asm-generic/unistd.h */
#define MARK 0x6e65726c /* no operation of prctl's */
#define ADD 0           /* QEMU_PLUGIN_INLINE_ADD_U64 of qemu-plugin.h, as the declarations */

struct qemu_plugin_tb;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_syscall_cb(uint64_t, void (*)(uint64_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                             uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

int qemu_plugin_version = 1;
static uint64_t count;

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, &count, qemu_plugin_tb_n_insns(block));
}

static void called(uint64_t id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                   uint64_t f, uint64_t g, uint64_t h) {
    if (number == PRCTL && a == MARK) {
        fprintf(stderr, "instructions %llu\n", (unsigned long long)count);
        count = 0;
    }
}

int qemu_plugin_install(uint64_t id, const void *info, int n, char **arguments) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
