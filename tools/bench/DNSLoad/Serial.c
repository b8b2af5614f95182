// Measures when a server's answer changes: queries a zone's SOA every half millisecond.
#define _GNU_SOURCE
#include "DNSLoad.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// Writes the SOA query for `zone` and returns its length; 0 if the name is not valid.
static int soa_query(const char *zone, uint8_t *out) {
    memcpy(out, "\x12\x34\0\0\0\1\0\0\0\0\0\0", 12);
    int at = 12;
    for (const char *label = zone; *label;) {
        size_t length = strcspn(label, ".");
        if (length == 0 || length > 63 || at + length > 250) return 0;
        out[at++] = (uint8_t)length;
        memcpy(out + at, label, length);
        at += (int)length;
        label += length + (label[length] == '.');
    }
    memcpy(out + at, "\0\0\6\0\1", 5);
    return at + 5;
}

// Reads the serial in a reply to that query; false if there is none. The owner of the record may be a compression
// pointer.
static bool read_serial(const uint8_t *reply, int count, int question_end, uint32_t *serial) {
    if (count < question_end + 12 + 22 || (reply[3] & 15) || (reply[6] | reply[7]) == 0) return false;
    int at = question_end;
    while (at < count && reply[at] != 0 && reply[at] < 0xc0) at += 1 + reply[at];
    at += at < count && reply[at] >= 0xc0 ? 2 : 1;
    if (at + 10 > count) return false;
    int length = reply[at + 8] << 8 | reply[at + 9];
    const uint8_t *five = reply + at + 10 + length - 20;
    if (length < 22 || five + 20 > reply + count) return false;
    *serial = (uint32_t)five[0] << 24 | (uint32_t)five[1] << 16 | (uint32_t)five[2] << 8 | five[3];
    return true;
}

int serial_main(int argc, char **argv) {
    struct sockaddr_in server = endpoint(argv[1]);
    bool differs = false;
    uint32_t before = 0;
    double seconds = 30;
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--not") == 0) {
            differs = true;
            before = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = atof(argv[i + 1]);
        }
    }
    uint8_t query[300], reply[1500];
    int length = soa_query(argv[2], query);
    if (length == 0) return 2;
    int fd = open_socket(NULL, &server);
    int64_t begun = now();
    while (now() - begun < (int64_t)(seconds * 1e9)) {
        send(fd, query, (size_t)length, MSG_NOSIGNAL);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct timespec limit = {.tv_nsec = 500000};
        int64_t next = now() + 500000;
        if (ppoll(&wait, 1, &limit, NULL) > 0) {
            uint32_t serial;
            ssize_t count = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
            if (count > 0 && read_serial(reply, (int)count, length, &serial) && !(differs && serial == before)) {
                printf("serial %u nanoseconds %ld\n", serial, now() - begun);
                return 0;
            }
        }
        while (now() < next) {
            struct timespec rest = {.tv_nsec = 100000};
            ppoll(NULL, 0, &rest, NULL);
        }
    }
    fprintf(stderr, "dns-load: no %sserial in %g s\n", differs ? "new " : "", seconds);
    return 1;
}
