/* seccomp_run.c - runs a command in a sandbox without io_uring, as containers have it.
 *
 *     seccomp_run EPERM|ENOSYS|EACCES -- COMMAND [ARGUMENT...]
 *
 * A seccomp filter answers io_uring_setup, io_uring_enter and io_uring_register with that error and lets everything
 * else pass: EPERM as Docker's default profile does, ENOSYS as an old kernel or gVisor, EACCES as a security module.
 * The filter is inherited by whatever the command starts. Needs no privilege (no_new_privs is set, so setuid programs
 * gain nothing inside) and no library. Exit code: the command's; 77 where the kernel has no seccomp filters; 2 usage;
 * 127 the command cannot be run. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_SKIPPED 77
#define EXIT_NO_COMMAND 127

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name this machine's AUDIT_ARCH_*"
#endif

/* 0, or errno. */
static int io_uring_deny(int cause)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 4), /* another ABI has other numbers: let it pass */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_io_uring_setup, 0, 2), /* setup, enter and register: three in a row */
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_io_uring_register, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)cause & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        return errno;
    }
    return 0;
}

static int cause_parse(const char *name)
{
    return strcmp(name, "EPERM") == 0    ? EPERM
           : strcmp(name, "ENOSYS") == 0 ? ENOSYS
           : strcmp(name, "EACCES") == 0 ? EACCES
                                         : 0;
}

int main(int argc, char **argv)
{
    int cause = argc >= 4 && strcmp(argv[2], "--") == 0 ? cause_parse(argv[1]) : 0;
    if (cause == 0) {
        fprintf(stderr, "usage: seccomp_run EPERM|ENOSYS|EACCES -- COMMAND [ARGUMENT...]\n");
        return EXIT_USAGE;
    }
    int refused = io_uring_deny(cause);
    if (refused != 0) {
        fprintf(stderr, "seccomp_run: skipped: this kernel takes no seccomp filter: %s\n", strerror(refused));
        return EXIT_SKIPPED;
    }
    execvp(argv[3], argv + 3);
    fprintf(stderr, "seccomp_run: %s cannot be run: %s\n", argv[3], strerror(errno));
    return EXIT_NO_COMMAND;
}
