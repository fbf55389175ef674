/* Calls kernels of a library for Windows with the memory that calls on another system had, and compares what they leave.

   replay LIBRARY FILE: prints a line for each call that differs; returns 1 for one, 2 where it cannot begin.
   FILE: of each call a struct, then so many bytes of memory, pairs (place, place that is pointed to), and of each
   array its place, its size, where in the bytes that follow it is as it should be then, and whether it is of float64,
   whose last bits depend on the C library's exp and log; and those bytes. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

typedef struct { char name[32]; uint64_t memory, pointers, arrays, expected, entry; } Call;

static void *take(FILE *file, size_t size) {
    char *memory = VirtualAlloc(NULL, size + 1, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!memory || fread(memory, 1, size, file) != size) exit(2);
    return memory;
}

static int differs(const char *is, const char *expected, uint64_t size, int is_double) {
    if (!is_double) return !!memcmp(is, expected, size);
    for (uint64_t at = 0; at < size; at += 8) {
        double a, b;
        memcpy(&a, is + at, 8), memcpy(&b, expected + at, 8);
        if (memcmp(&a, &b, 8) && !(fabs(a - b) <= 1e-12 * fmax(1, fabs(b)))) return 1;
    }
    return 0;
}

int main(int n, char **arguments) {
    HMODULE library = n == 3 ? LoadLibraryA(arguments[1]) : NULL;
    FILE *file = library ? fopen(arguments[2], "rb") : NULL;
    if (!file) return printf("expected a library and a file: error %lu\n", GetLastError()), 2;
    int n_calls = 0, wrong = 0;
    for (Call call; fread(&call, sizeof call, 1, file) == 1; ++n_calls) {
        void (*kernel)(void *) = (void (*)(void *))GetProcAddress(library, call.name);
        if (!kernel) return printf("no %s\n", call.name), 2;
        char *memory = take(file, call.memory);
        uint64_t(*pointers)[2] = take(file, call.pointers * sizeof *pointers);
        uint64_t(*arrays)[4] = take(file, call.arrays * sizeof *arrays);
        char *expected = take(file, call.expected);
        for (uint64_t i = 0; i < call.pointers; ++i) *(char **)(memory + pointers[i][0]) = memory + pointers[i][1];
        kernel(memory + call.entry);
        uint64_t different = 0;
        for (uint64_t i = 0; i < call.arrays; ++i)
            different += differs(memory + arrays[i][0], expected + arrays[i][2], arrays[i][1], arrays[i][3]);
        if (different) printf("call %d, %s: %llu arrays differ\n", n_calls, call.name, different);
        wrong |= different > 0;
        VirtualFree(memory, 0, MEM_RELEASE), VirtualFree(expected, 0, MEM_RELEASE);
        VirtualFree(pointers, 0, MEM_RELEASE), VirtualFree(arrays, 0, MEM_RELEASE);
    }
    printf("%d calls\n", n_calls);
    return wrong || !n_calls;
}
