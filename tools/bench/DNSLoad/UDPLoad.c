// Sends queries over UDP, as many as a server answers (a window is kept full) or at a fixed rate, and measures the
// server's CPU time for each answer. A run of queries leaves as one message that the kernel cuts (UDP_SEGMENT), and
// only the headers of replies are copied, so that one core of load is faster than one core of server.
#define _GNU_SOURCE
#include "DNSLoad.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define SOCKETS 16
#define RUN 32
#define BATCH 64
// A reply that takes longer than this counts as lost.
#define PATIENCE 100000000

typedef struct {
    uint64_t sent, answered, lost, codes[16], truncated;
} tally;

static tally counted;
static int sockets[SOCKETS];
static uint32_t outstanding[SOCKETS];
static int64_t heard[SOCKETS];

static void send_run(int number, const struct run *run, uint32_t count) {
    struct iovec piece = {(void *)run->start, (size_t)run->length * count};
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count > 1) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(2), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
        memcpy(CMSG_DATA(c), &run->length, 2);
    }
    if (sendmsg(sockets[number], &message, MSG_NOSIGNAL) < 0) {
        if (errno == EAGAIN || errno == ECONNREFUSED || errno == ENOBUFS) return;
        fail("sendmsg");
    }
    counted.sent += count;
    outstanding[number] += count;
}

static void receive(int number, int64_t time) {
    static uint8_t heads[BATCH][12];
    static struct iovec pieces[BATCH];
    static struct mmsghdr messages[BATCH];
    if (!pieces[0].iov_base) {
        for (int i = 0; i < BATCH; i++) {
            pieces[i] = (struct iovec){heads[i], sizeof heads[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
        }
    }
    int count = recvmmsg(sockets[number], messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) {
        if (outstanding[number] && time - heard[number] > PATIENCE) {
            counted.lost += outstanding[number];
            outstanding[number] = 0;
            heard[number] = time;
        }
        return;
    }
    heard[number] = time;
    counted.answered += (uint64_t)count;
    outstanding[number] -= outstanding[number] < (uint32_t)count ? outstanding[number] : (uint32_t)count;
    for (int i = 0; i < count; i++) {
        counted.codes[heads[i][3] & 15]++;
        if (heads[i][2] & 2) counted.truncated++;
    }
}

// Keeps `window` queries in flight until `end`.
static void saturate(const query_set *set, uint32_t *next, uint32_t window, int64_t end) {
    uint32_t each = window / SOCKETS;
    for (int64_t time = now(); time < end; time = now()) {
        for (int number = 0; number < SOCKETS; number++) {
            if (outstanding[number]) receive(number, time);
            // Half of the socket's share of the window must be free, to keep runs long.
            if (outstanding[number] > each / 2) continue;
            const struct run *run = &set->runs[*next];
            *next = (*next + 1) % set->run_count;
            if (!outstanding[number]) heard[number] = time;
            send_run(number, run, run->count < each / 2 ? run->count : each / 2);
        }
    }
}

// Sends `rate` queries a second in runs of `burst`, and sleeps between them: for long loads that need no precise clock.
static void stroll(const query_set *set, uint32_t *next, uint32_t rate, uint32_t burst, int64_t end) {
    int64_t start = now();
    uint64_t sent = 0;
    int number = 0;
    for (int64_t time = start; time < end; time = now()) {
        while (time >= start + (int64_t)(sent * 1000000000 / rate)) {
            const struct run *run = &set->runs[*next];
            uint32_t count = run->count < burst ? run->count : burst;
            *next = (*next + 1) % set->run_count;
            send_run(number, run, count);
            number = (number + 1) % SOCKETS;
            sent += count;
        }
        for (int i = 0; i < SOCKETS; i++) receive(i, time);
        struct timespec rest = {.tv_nsec = 200000};
        nanosleep(&rest, NULL);
    }
}

// Returns the number of replies that the kernel dropped because we did not read them in time.
static uint64_t own_drops(void) {
    uint64_t sum = 0;
    for (int number = 0; number < SOCKETS; number++) {
        uint32_t values[9] = {0};
        socklen_t size = sizeof values;
        if (getsockopt(sockets[number], SOL_SOCKET, SO_MEMINFO, values, &size) == 0) sum += values[8];
    }
    return sum;
}

// Sends one query every 1/rate seconds.
static void pace(const query_set *set, uint32_t *next, uint32_t rate, int64_t end) {
    static uint32_t at_in_run;
    int64_t start = now(), due = start;
    uint64_t number = 0;
    for (int64_t time = start; time < end; time = now()) {
        if (time >= due) {
            const struct run *run = &set->runs[*next];
            struct run one = {run->start + (size_t)at_in_run * run->length, run->length, 1};
            send_run((int)(number % SOCKETS), &one, 1);
            if (++at_in_run >= run->count) {
                at_in_run = 0;
                *next = (*next + 1) % set->run_count;
            }
            number++;
            due = start + (int64_t)(number * 1000000000 / rate);
        }
        receive((int)((uint64_t)time / 1000 % SOCKETS), time);
    }
}

static void drain(void) {
    int64_t end = now() + PATIENCE * 5;
    bool waiting = true;
    while (waiting && now() < end) {
        waiting = false;
        for (int number = 0; number < SOCKETS; number++) {
            if (outstanding[number]) receive(number, now());
            waiting |= outstanding[number] > 0;
        }
    }
}

int udp_main(int argc, char **argv) {
    struct sockaddr_in server = endpoint(argv[1]);
    double seconds = 1;
    uint32_t window = 1024, rate = 0, burst = 0;
    const char *pids = "", *source = "127.85.200";
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0) seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--window") == 0) window = (uint32_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--rate") == 0) rate = (uint32_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--burst") == 0) burst = (uint32_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--pids") == 0) pids = argv[i + 1];
        else if (strcmp(argv[i], "--source") == 0) source = argv[i + 1];
        else {
            fprintf(stderr, "dns-load: no option '%s'\n", argv[i]);
            return 2;
        }
    }
    if (window < 2 * SOCKETS) window = 2 * SOCKETS;
    query_set set = read_queries(argv[2], RUN);
    processes measured = read_processes(pids);
    for (int number = 0; number < SOCKETS; number++) {
        char text[64];
        snprintf(text, sizeof text, "%s.%d:0", source, number + 1);
        struct sockaddr_in from = endpoint(text);
        sockets[number] = open_socket(&from, &server);
    }
    uint32_t next = (uint32_t)(now() / 1000 % set.run_count);
    // Queues and caches fill before the measurement. With --burst every query counts, so none is sent before.
    int64_t warm = now() + (burst ? 0 : 50000000);
    if (rate) pace(&set, &next, rate, warm);
    else saturate(&set, &next, window, warm);
    int64_t cpu = processor_time(&measured), begun = now();
    counted = (tally){0};
    int64_t end = begun + (int64_t)(seconds * 1e9);
    if (burst) stroll(&set, &next, rate ? rate : 1, burst, end);
    else if (rate) pace(&set, &next, rate, end);
    else saturate(&set, &next, window, end);
    uint64_t answered = counted.answered;
    cpu = processor_time(&measured) - cpu;
    int64_t elapsed = now() - begun;
    drain();
    uint64_t left = 0;
    for (int number = 0; number < SOCKETS; number++) left += outstanding[number];
    if (burst) answered = counted.answered;
    printf(
        "answered %lu elapsed_ns %ld cpu_ns %ld lost %lu noerror %lu nxdomain %lu refused %lu truncated %lu sent %lu "
        "own_drops %lu\n",
        answered, elapsed, cpu, counted.lost + left, counted.codes[0], counted.codes[3], counted.codes[5],
        counted.truncated, counted.sent, own_drops());
    return 0;
}
