/* Loaded before C's library: the n-th call that changes files in one folder fails, or is the process's last.

   fail_at(n, error, folder): error is errno's number; of ENOSPC a write still puts out half of its bytes, and the disk
   is full from then on; of EINTR only what may be interrupted fails, and works when called again; 0 kills the process.
   n_calls(): how many calls there were since. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int at, error, calls;
static char folder[PATH_MAX];

void fail_at(int n, int number, const char *where) {
    snprintf(folder, sizeof folder, "%s", where);
    at = n, error = number, calls = 0;
}

int n_calls(void) { return calls; }

static int is_ours(int descriptor) {
    char name[64], path[PATH_MAX];
    if (!*folder) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t n = readlink(name, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return !strncmp(path, folder, strlen(folder));
}

/* is_write: 1 of a write, 0 of what may be interrupted but writes nothing, -1 of others. */
static int fails(int is_write) {
    if ((error == ENOSPC && is_write < 1) || (error == EINTR && is_write < 0)) return 0;
    ++calls;
    if (error == ENOSPC ? calls < at : calls != at) return 0;
    if (!error) kill(getpid(), SIGKILL);
    errno = error;
    return 1;
}

#define REAL(name, ...) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))(__VA_ARGS__)
#define PATH_IS_OURS(path) (*folder && !strncmp(path, folder, strlen(folder)))

ssize_t write(int descriptor, const void *data, size_t n) {
    if (is_ours(descriptor) && fails(1)) {
        if (error != ENOSPC || calls > at || n < 2) return -1;
        n /= 2;
    }
    return REAL(write, descriptor, data, n);
}

int fsync(int descriptor) { return is_ours(descriptor) && fails(0) ? -1 : REAL(fsync, descriptor); }
int ftruncate64(int descriptor, off64_t n) {
    return is_ours(descriptor) && fails(-1) ? -1 : REAL(ftruncate64, descriptor, n);
}
int rename(const char *from, const char *to) { return PATH_IS_OURS(to) && fails(-1) ? -1 : REAL(rename, from, to); }
int unlink(const char *path) { return PATH_IS_OURS(path) && fails(-1) ? -1 : REAL(unlink, path); }
int mkdir(const char *path, mode_t mode) { return PATH_IS_OURS(path) && fails(-1) ? -1 : REAL(mkdir, path, mode); }

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (flags & (O_WRONLY | O_RDWR) && PATH_IS_OURS(path) && fails(0)) return -1;
    return REAL(open64, path, flags, mode);
}
