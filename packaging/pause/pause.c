/*
 * The process that holds a Pod's namespaces open: it reaps children that are orphaned to it (when it is PID 1 of
 * a shared PID namespace) and ends at SIGTERM or SIGINT. It uses the kernel directly, so the program is a few
 * hundred bytes and has nothing that could need an update.
 */

/* Numbers of the kernel's interface, so that a cross compiler needs no headers. */
#if defined(__x86_64__)
enum { WAIT4 = 61, EXIT_GROUP = 231, RT_SIGPROCMASK = 14, RT_SIGTIMEDWAIT = 128 };
#elif defined(__aarch64__)
enum { WAIT4 = 260, EXIT_GROUP = 94, RT_SIGPROCMASK = 135, RT_SIGTIMEDWAIT = 137 };
#else
#error "pause.c knows x86_64 and aarch64 only"
#endif
enum { INTERRUPT = 2, TERMINATE = 15, CHILD = 17, BLOCK = 0, NO_HANG = 1 };

#define SIGNAL_BIT(number) (1UL << ((number) - 1))

static long call(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	long result;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
#else
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
#endif
}

void _start(void)
{
	/* Blocked signals stay pending even for PID 1, whose default is to ignore them. */
	unsigned long signals = SIGNAL_BIT(INTERRUPT) | SIGNAL_BIT(TERMINATE) | SIGNAL_BIT(CHILD);
	call(RT_SIGPROCMASK, BLOCK, (long)&signals, 0, sizeof signals);
	for (;;) {
		long signal = call(RT_SIGTIMEDWAIT, (long)&signals, 0, 0, sizeof signals);
		if (signal == INTERRUPT || signal == TERMINATE)
			call(EXIT_GROUP, 0, 0, 0, 0);
		while (call(WAIT4, -1, 0, NO_HANG, 0) > 0)
			;
	}
}
