// dns-load: puts load on the name servers that tools/bench compares, and serves a bare echo to compare them with.
//
//     dns-load echo ADDRESS:PORT
//     dns-load udp ADDRESS:PORT QUERIES --seconds S [--window N | --rate N [--burst N]] [--pids N,N…] [--source A.B.C]
//     dns-load serial ADDRESS:PORT ZONE [--not SERIAL] [--seconds S]
//     dns-load steps ADDRESS:PORT QUERIES COUNT PID,PID…
#define _GNU_SOURCE
#include "DNSLoad.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

void fail(const char *what) {
    perror(what);
    exit(1);
}

struct sockaddr_in endpoint(const char *text) {
    char host[64] = {0};
    unsigned port = 0;
    struct sockaddr_in result = {.sin_family = AF_INET};
    if (sscanf(text, "%63[^:]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &result.sin_addr) != 1 ||
        port > 65535) {
        fprintf(stderr, "dns-load: '%s' is not an IPv4 address and port\n", text);
        exit(2);
    }
    result.sin_port = htons((uint16_t)port);
    return result;
}

int open_socket(const struct sockaddr_in *bind_to, const struct sockaddr_in *to) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    int bytes = 8 << 20;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (bind_to && bind(fd, (const struct sockaddr *)bind_to, sizeof *bind_to) != 0) fail("bind");
    if (to && connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) fail("connect");
    return fd;
}

int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

processes read_processes(const char *list) {
    processes result = {0};
    char *copy = strdup(list);
    for (char *word = strtok(copy, ", \n"); word && result.count < PROCESSES_MAX; word = strtok(NULL, ", \n")) {
        clockid_t clock;
        if (clock_getcpuclockid(atoi(word), &clock) == 0) result.clock[result.count++] = clock;
    }
    free(copy);
    return result;
}

int64_t processor_time(const processes *list) {
    int64_t sum = 0;
    for (int i = 0; i < list->count; i++) {
        struct timespec t;
        if (clock_gettime(list->clock[i], &t) == 0) sum += (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    return sum;
}

static query_class *class_of(query_set *set, uint16_t length) {
    for (int i = 0; i < set->class_count; i++)
        if (set->classes[i].length == length) return &set->classes[i];
    set->classes = realloc(set->classes, sizeof(query_class) * (size_t)(set->class_count + 1));
    if (!set->classes) fail("realloc");
    set->classes[set->class_count] = (query_class){.length = length};
    return &set->classes[set->class_count++];
}

query_set read_queries(const char *path, uint32_t run_max) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    query_set set = {0};
    uint8_t head[2], message[65536];
    while (fread(head, 1, 2, file) == 2) {
        uint16_t length = (uint16_t)(head[0] << 8 | head[1]);
        if (length < 12 || fread(message, 1, length, file) != length) break;
        query_class *class = class_of(&set, length);
        if ((class->count & (class->count - 1)) == 0) {
            size_t room = class->count ? 2 * (size_t)class->count : 1;
            class->bytes = realloc(class->bytes, room * length);
            if (!class->bytes) fail("realloc");
        }
        memcpy(class->bytes + (size_t)class->count++ * length, message, length);
    }
    fclose(file);
    for (int i = 0; i < set.class_count; i++) set.run_count += (set.classes[i].count + run_max - 1) / run_max;
    if (set.run_count == 0) {
        fprintf(stderr, "dns-load: no queries in %s\n", path);
        exit(1);
    }
    set.runs = calloc(set.run_count, sizeof *set.runs);
    uint32_t next = 0;
    for (int i = 0; i < set.class_count; i++) {
        query_class *class = &set.classes[i];
        for (uint32_t at = 0; at < class->count; at += run_max) {
            uint32_t left = class->count - at;
            set.runs[next++] = (struct run){
                class->bytes + (size_t)at * class->length, class->length,
                (uint16_t)(left < run_max ? left : run_max)};
        }
    }
    uint64_t state = 4711;
    for (uint32_t i = set.run_count - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t other = (uint32_t)((state >> 33) % (i + 1));
        struct run swap = set.runs[i];
        set.runs[i] = set.runs[other];
        set.runs[other] = swap;
    }
    return set;
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "echo") == 0) return echo_main(argc - 1, argv + 1);
    if (argc >= 4 && strcmp(argv[1], "udp") == 0) return udp_main(argc - 1, argv + 1);
    if (argc >= 4 && strcmp(argv[1], "serial") == 0) return serial_main(argc - 1, argv + 1);
    if (argc >= 6 && strcmp(argv[1], "steps") == 0) return steps_main(argc - 1, argv + 1);
    fprintf(stderr, "usage: dns-load echo|udp|serial|steps ADDRESS:PORT …\n");
    return 2;
}
