/*
 * Preloaded into User-Mode Linux up to 6.12: it sets the vector registers of its processes with PTRACE_SETREGSET from a
 * buffer of 2,696 bytes, which was all a CPU had when it was written. A CPU with more (AMX) makes the host's kernel
 * refuse that, and the guest panics before init. Here what is missing is filled in from the registers as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long (*ptrace_call)(enum __ptrace_request, int, void *, void *);

long ptrace(enum __ptrace_request request, ...) {
  static ptrace_call next;
  static char registers[64 * 1024];
  va_list list;
  va_start(list, request);
  int pid = va_arg(list, int);
  void *address = va_arg(list, void *);
  void *data = va_arg(list, void *);
  va_end(list);
  if (next == NULL) next = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
  if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
    const struct iovec *given = data;
    struct iovec whole = {registers, sizeof registers};
    if (next(PTRACE_GETREGSET, pid, address, &whole) == 0 && whole.iov_len > given->iov_len) {
      memcpy(registers, given->iov_base, given->iov_len);
      return next(request, pid, address, &whole);
    }
  }
  return next(request, pid, address, data);
}
