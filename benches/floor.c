// The least that a container costs: the system calls of `workbench enter`, and nothing around
// them. No options are parsed, and a refusal has no words but errno's.
//
//     floor ROOT PROGRAM

#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The headers of some systems are older than the time namespace.
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

enum {
    // The file systems may not hold devices, nor ways to more rights.
    CAREFUL = MS_NOSUID | MS_NODEV,
};

// glibc has no function for clone3(2). As with fork(2), both processes return from here.
static pid_t clone_into_eight_namespaces(void) {
    struct clone_args arguments = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
            | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME,
        .exit_signal = SIGCHLD,
    };
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static void must(int result, const char *call) {
    if (result < 0) err(125, "%s", call);
}

static void write_line(const char *file, const char *line) {
    int opened = open(file, O_WRONLY | O_CLOEXEC);
    must(opened, file);
    must((int)write(opened, line, strlen(line)), file);
    close(opened);
}

static void map_root_to(uid_t user, gid_t group) {
    char line[64];
    write_line("/proc/self/setgroups", "deny");
    snprintf(line, sizeof line, "0 %u 1", user);
    write_line("/proc/self/uid_map", line);
    snprintf(line, sizeof line, "0 %u 1", group);
    write_line("/proc/self/gid_map", line);
}

static void enter(const char *root) {
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount --make-rprivate /");
    must(sethostname("inner", strlen("inner")), "sethostname");
    must(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "mount --rbind");
    must(chdir(root), "chdir");
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(mount("none", "/proc", "proc", CAREFUL | MS_NOEXEC, NULL), "mount -t proc");
    must(mount("none", "/sys", "sysfs", CAREFUL | MS_NOEXEC, NULL), "mount -t sysfs");
    must(mount("none", "/tmp", "tmpfs", CAREFUL, NULL), "mount -t tmpfs");
    must(umount2(".", MNT_DETACH), "umount2");
    must(chdir("/"), "chdir");
}

int main(int count, char **arguments) {
    if (count != 3) errx(2, "two arguments are needed: ROOT PROGRAM");
    uid_t user = geteuid();
    gid_t group = getegid();
    pid_t child = clone_into_eight_namespaces();
    must(child, "clone3");
    if (child == 0) {
        map_root_to(user, group);
        enter(arguments[1]);
        execv(arguments[2], arguments + 2);
        err(126, "%s", arguments[2]);
    }
    int status = 0;
    must(waitpid(child, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
