// Counts the instructions that a server runs in user space for a query, on machines without performance counters (most
// virtual ones): it single-steps the server's threads (ptrace) while they answer. The server is killed at the end.
#define _GNU_SOURCE
#include "DNSLoad.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define THREADS_MAX 256

static pid_t threads[THREADS_MAX];
static int thread_count;

static void seize(pid_t process) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *directory = opendir(path);
    if (!directory) fail(path);
    for (struct dirent *entry; (entry = readdir(directory)) && thread_count < THREADS_MAX;) {
        pid_t thread = atoi(entry->d_name);
        if (thread <= 0) continue;
        if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) fail("ptrace");
        int status;
        if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0 || waitpid(thread, &status, __WALL) != thread) continue;
        threads[thread_count++] = thread;
    }
    closedir(directory);
}

int steps_main(int argc, char **argv) {
    if (argc < 5) return 2;
    struct sockaddr_in server = endpoint(argv[1]);
    uint32_t wanted = (uint32_t)atoi(argv[3]);
    query_set set = read_queries(argv[2], 1);
    if (wanted == 0 || wanted > set.run_count) wanted = set.run_count;
    pid_t processes_stepped[PROCESSES_MAX];
    int process_count = 0;
    for (char *word = strtok(argv[4], ","); word && process_count < PROCESSES_MAX; word = strtok(NULL, ",")) {
        processes_stepped[process_count] = atoi(word);
        seize(processes_stepped[process_count++]);
    }
    int fd = open_socket(NULL, &server);
    for (uint32_t i = 0; i < wanted; i++) send(fd, set.runs[i].start, set.runs[i].length, MSG_NOSIGNAL);
    for (int i = 0; i < thread_count; i++) ptrace(PTRACE_SINGLESTEP, threads[i], NULL, NULL);
    uint64_t steps = 0;
    uint32_t answered = 0;
    uint8_t reply[12];
    for (int64_t begun = now(); answered < wanted && now() - begun < 60000000000;) {
        int status;
        pid_t thread = waitpid(-1, &status, __WALL | WNOHANG);
        if (thread < 0 && errno != EINTR) break;
        if (thread > 0 && WIFSTOPPED(status)) {
            int signal = WSTOPSIG(status);
            bool is_step = signal == SIGTRAP;
            if (is_step) steps++;
            ptrace(PTRACE_SINGLESTEP, thread, NULL, is_step ? 0 : (void *)(intptr_t)signal);
        }
        if (thread == 0 || steps % 256 == 0)
            while (recv(fd, reply, sizeof reply, MSG_DONTWAIT | MSG_TRUNC) > 0) answered++;
    }
    // A process that was single-stepped cannot safely continue: kill it.
    for (int i = 0; i < process_count; i++) kill(processes_stepped[i], SIGKILL);
    printf("answered %u steps %lu\n", answered, steps);
    return answered == wanted ? 0 : 1;
}
