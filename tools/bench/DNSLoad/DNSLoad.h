// Shared by the parts of dns-load: addresses, clocks, and CPU time of other processes.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

// Ends the program with a message and the last system error.
void fail(const char *what);
// ADDRESS:PORT, IPv4.
struct sockaddr_in endpoint(const char *text);
// A non-blocking UDP socket with large buffers, bound to `bind_to` if given and connected to `to` if given.
int open_socket(const struct sockaddr_in *bind_to, const struct sockaddr_in *to);
// CLOCK_MONOTONIC in nanoseconds.
int64_t now(void);

// Processes whose CPU time is measured.
#define PROCESSES_MAX 64
typedef struct {
    int count;
    int clock[PROCESSES_MAX];
} processes;
// Parses a list such as 12,13.
processes read_processes(const char *list);
// CPU time of all their threads in nanoseconds.
int64_t processor_time(const processes *list);

// Queries in memory, grouped by length so that a run of them is one piece of memory.
typedef struct {
    uint8_t *bytes;
    uint32_t count;
    uint16_t length;
} query_class;
typedef struct {
    query_class *classes;
    int class_count;
    // Starts of runs in random order.
    struct run {
        const uint8_t *start;
        uint16_t length;
        uint16_t count;
    } *runs;
    uint32_t run_count;
} query_set;
// Reads a file of messages, each after a length of two bytes; runs have at most `run_max` queries.
query_set read_queries(const char *path, uint32_t run_max);

// The subcommands.
int echo_main(int argc, char **argv);
int udp_main(int argc, char **argv);
int serial_main(int argc, char **argv);
int steps_main(int argc, char **argv);
