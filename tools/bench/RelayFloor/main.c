// The cheapest possible forwarder, to compare a relay with: sends datagrams from one UDP port to N others. No
// handshake, no ring, no checks, no header of its own.
//
//     relay-floor sendmmsg ADDRESS PORT CHILDREN-ADDRESS FIRST-PORT CHILDREN    a message for each datagram and child
//     relay-floor gso      ADDRESS PORT CHILDREN-ADDRESS FIRST-PORT CHILDREN    a message for each run and child: a run
//                                       that UDP_GRO delivers in one piece is also sent in one piece, by UDP_SEGMENT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { BATCH = 64, SEND_BATCH = 1024, CHILDREN_MAX = 1024, CONTROL = 64 };

typedef union {
    char bytes[CONTROL];
    struct cmsghdr align;
} control;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in address(const char *text, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
        fprintf(stderr, "relay-floor: %s is not an address\n", text);
        exit(2);
    }
    return a;
}

static int open_socket(const struct sockaddr_in *at, bool coalesce) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bytes = 8 << 20, on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    if (coalesce && setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) != 0) die("bind");
    return fd;
}

// Size of the segments of a message that UDP_GRO put together; 0 for a single datagram.
static int segment_of(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        int segment;
        if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
        memcpy(&segment, CMSG_DATA(c), sizeof segment);
        return segment;
    }
    return 0;
}

static size_t write_segment(control *at, int segment) {
    struct cmsghdr *c = &at->align;
    uint16_t value = (uint16_t)segment;
    memset(at, 0, sizeof *at);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof value);
    memcpy(CMSG_DATA(c), &value, sizeof value);
    return CMSG_SPACE(sizeof value);
}

static void send_all(int fd, struct mmsghdr *messages, int count) {
    for (int next = 0; next < count;) {
        int sent = sendmmsg(fd, messages + next, (unsigned)(count - next), 0);
        if (sent < 0 && errno != EINTR) die("sendmmsg");
        if (sent > 0) next += sent;
    }
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: relay-floor sendmmsg|gso ADDRESS PORT CHILDREN-ADDRESS FIRST-PORT CHILDREN\n");
        return 2;
    }
    bool runs = strcmp(argv[1], "gso") == 0;
    struct sockaddr_in at = address(argv[2], atoi(argv[3]));
    int children = atoi(argv[6]);
    if (children < 1 || children > CHILDREN_MAX) return 2;
    static struct sockaddr_in to[CHILDREN_MAX];
    for (int i = 0; i < children; i++) to[i] = address(argv[4], atoi(argv[5]) + i);
    int fd = open_socket(&at, runs);

    static struct mmsghdr in[BATCH], out[SEND_BATCH];
    static struct iovec buffers[BATCH], pieces[BATCH];
    static control in_controls[BATCH], out_controls[BATCH];
    for (int i = 0; i < BATCH; i++) {
        buffers[i] = (struct iovec){malloc(65536), 65536};
        in[i].msg_hdr = (struct msghdr){.msg_iov = &buffers[i], .msg_iovlen = 1};
    }
    while (true) {
        for (int i = 0; i < BATCH; i++) {
            in[i].msg_hdr.msg_control = runs ? &in_controls[i] : NULL;
            in[i].msg_hdr.msg_controllen = runs ? sizeof in_controls[i] : 0;
        }
        int count = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) die("recvmmsg");
        size_t lengths[BATCH] = {0};
        for (int i = 0; i < count; i++) {
            pieces[i] = (struct iovec){buffers[i].iov_base, in[i].msg_len};
            int segment = runs ? segment_of(&in[i].msg_hdr) : 0;
            if (segment > 0 && (unsigned)segment < in[i].msg_len) lengths[i] = write_segment(&out_controls[i], segment);
        }
        int waiting = 0;
        for (int child = 0; child < children; child++) {
            for (int i = 0; i < count; i++) {
                out[waiting++].msg_hdr = (struct msghdr){
                    .msg_name = &to[child], .msg_namelen = sizeof to[child], .msg_iov = &pieces[i], .msg_iovlen = 1,
                    .msg_control = lengths[i] ? &out_controls[i] : NULL, .msg_controllen = lengths[i]};
                if (waiting == SEND_BATCH) {
                    send_all(fd, out, waiting);
                    waiting = 0;
                }
            }
        }
        send_all(fd, out, waiting);
    }
}
