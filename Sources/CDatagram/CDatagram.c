#define _GNU_SOURCE
#include "CDatagram.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>
#include <sys/prctl.h>

// Needs struct timespec.
#include <linux/errqueue.h>

// Not every libc allows including linux/udp.h together with netinet/in.h.
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define MAPPED_PREFIX 0x0000ffff00000000ull

static bool is_v4(cdg_address a) { return a.high == 0 && a.low >> 32 == 0xffff; }

static struct in_addr to_v4(cdg_address a) { return (struct in_addr){.s_addr = htobe32((uint32_t)a.low)}; }

static cdg_address from_v4(struct in_addr a) { return (cdg_address){0, MAPPED_PREFIX | be32toh(a.s_addr)}; }

static struct in6_addr to_v6(cdg_address a) {
    struct in6_addr result;
    uint64_t words[2] = {htobe64(a.high), htobe64(a.low)};
    memcpy(&result, words, sizeof result);
    return result;
}

static cdg_address from_v6(const struct in6_addr *a) {
    uint64_t words[2];
    memcpy(words, a, sizeof words);
    return (cdg_address){be64toh(words[0]), be64toh(words[1])};
}

static socklen_t to_sockaddr(const cdg_endpoint *e, bool v4, struct sockaddr_storage *out) {
    if (v4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)out;
        *sin = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htobe16(e->port), .sin_addr = to_v4(e->address)};
        return sizeof *sin;
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;
    *sin6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htobe16(e->port), .sin6_addr = to_v6(e->address)};
    return sizeof *sin6;
}

static cdg_endpoint from_sockaddr(const struct sockaddr_storage *from) {
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)from;
        return (cdg_endpoint){from_v4(sin->sin_addr), be16toh(sin->sin_port)};
    }
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)from;
    return (cdg_endpoint){from_v6(&sin6->sin6_addr), be16toh(sin6->sin6_port)};
}

// ---- sockets

static int set_int(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

static uint32_t get_int(int fd, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 && value > 0 ? (uint32_t)value : 0;
}

// Tries the privileged option first: the plain one is limited to net.core.rmem_max or wmem_max.
static void set_buffer(int fd, int forced, int plain, uint32_t bytes) {
    if (bytes == 0) return;
    int value = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;
    if (set_int(fd, SOL_SOCKET, forced, value) != 0) set_int(fd, SOL_SOCKET, plain, value);
}

static int set_mtu_policy(int fd, bool v4, cdg_mtu_policy policy) {
    if (policy == CDG_MTU_SYSTEM) return 0;
    bool omit = policy == CDG_MTU_OMIT;
    return v4 ? set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, omit ? IP_PMTUDISC_OMIT : IP_PMTUDISC_DO)
              : set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, omit ? IPV6_PMTUDISC_OMIT : IPV6_PMTUDISC_DO);
}

static int set_report_errors(int fd, bool v4) {
    return v4 ? set_int(fd, IPPROTO_IP, IP_RECVERR, 1) : set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

static int set_free_bind(int fd, bool v4) {
    return v4 ? set_int(fd, IPPROTO_IP, IP_FREEBIND, 1) : set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

int cdg_socket_open(const cdg_endpoint *bind_to, const cdg_socket_options *options, cdg_socket_report *report) {
    bool v4 = is_v4(bind_to->address);
    memset(report, 0, sizeof *report);
    report->wildcard = v4 ? (uint32_t)bind_to->address.low == 0 : (bind_to->address.high | bind_to->address.low) == 0;

    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) {
        report->failed_step = "socket";
        return -errno;
    }
#define STEP(name, call)             \
    if ((call) != 0) {               \
        int code = errno;            \
        report->failed_step = name;  \
        close(fd);                   \
        return -code;                \
    }
    if (!v4) STEP("IPV6_V6ONLY", set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    if (options->reuse_address) STEP("SO_REUSEADDR", set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    if (options->reuse_port) STEP("SO_REUSEPORT", set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    if (options->free_bind) STEP("FREEBIND", set_free_bind(fd, v4));
    STEP("MTU_DISCOVER", set_mtu_policy(fd, v4, options->mtu));
    if (options->report_errors) STEP("RECVERR", set_report_errors(fd, v4));
    if (report->wildcard) {
        STEP("PKTINFO", v4 ? set_int(fd, IPPROTO_IP, IP_PKTINFO, 1)
                           : set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    }
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options->receive_buffer_bytes);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options->send_buffer_bytes);
    if (options->report_drops) set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    report->receive_offload = options->receive_offload && set_int(fd, SOL_UDP, UDP_GRO, 1) == 0;

    struct sockaddr_storage address;
    socklen_t length = to_sockaddr(bind_to, v4, &address);
    STEP("bind", bind(fd, (struct sockaddr *)&address, length));
    length = sizeof address;
    STEP("getsockname", getsockname(fd, (struct sockaddr *)&address, &length));
#undef STEP
    report->bound = from_sockaddr(&address);
    report->receive_buffer_bytes = get_int(fd, SOL_SOCKET, SO_RCVBUF);
    report->send_buffer_bytes = get_int(fd, SOL_SOCKET, SO_SNDBUF);
    int segment = 0;
    socklen_t size = sizeof segment;
    report->segmentation_offload = getsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, &size) == 0;
    return fd;
}

int cdg_socket_disable_receive_offload(int fd) { return set_int(fd, SOL_UDP, UDP_GRO, 0) == 0 ? 0 : -errno; }

uint32_t cdg_socket_drops(int fd) {
    // SK_MEMINFO_VARS numbers, of which the ninth is SK_MEMINFO_DROPS (linux/sock_diag.h).
    uint32_t values[9] = {0};
    socklen_t size = sizeof values;
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &size) == 0 && size == sizeof values ? values[8] : 0;
}

void cdg_close(int fd) { close(fd); }

// ---- receiving

// Room for IPV6_PKTINFO, UDP_GRO and SO_RXQ_OVFL together.
#define CONTROL_BYTES 128

typedef union {
    char bytes[CONTROL_BYTES];
    struct cmsghdr align;
} control_buffer;

struct cdg_receiver {
    uint32_t batch;
    uint32_t used;  // number of headers that the kernel wrote last time; these must be reset
    size_t stride;
    char *memory;
    struct mmsghdr *headers;
    struct iovec *pieces;
    struct sockaddr_storage *names;
    control_buffer *controls;
};

cdg_receiver *cdg_receiver_create(uint32_t batch, uint32_t buffer_bytes) {
    cdg_receiver *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    r->batch = batch;
    r->used = batch;
    // The buffers are an odd number of cache lines apart. Otherwise their first lines could all map to one cache set.
    r->stride = ((size_t)buffer_bytes + 63) / 64 * 64 + 64;
    if (r->stride / 64 % 2 == 0) r->stride += 64;
    r->memory = malloc(r->stride * batch);
    r->headers = calloc(batch, sizeof *r->headers);
    r->pieces = calloc(batch, sizeof *r->pieces);
    r->names = calloc(batch, sizeof *r->names);
    r->controls = calloc(batch, sizeof *r->controls);
    if (!r->memory || !r->headers || !r->pieces || !r->names || !r->controls) {
        cdg_receiver_destroy(r);
        return NULL;
    }
    for (uint32_t i = 0; i < batch; i++) {
        r->pieces[i] = (struct iovec){r->memory + r->stride * i, buffer_bytes};
        r->headers[i].msg_hdr.msg_iov = &r->pieces[i];
        r->headers[i].msg_hdr.msg_iovlen = 1;
        r->headers[i].msg_hdr.msg_name = &r->names[i];
        r->headers[i].msg_hdr.msg_control = &r->controls[i];
    }
    return r;
}

void cdg_receiver_destroy(cdg_receiver *r) {
    if (r == NULL) return;
    free(r->memory);
    free(r->headers);
    free(r->pieces);
    free(r->names);
    free(r->controls);
    free(r);
}

void *cdg_receiver_buffer(const cdg_receiver *r, uint32_t index) { return r->pieces[index].iov_base; }

static void read_controls(struct msghdr *header, cdg_received *out) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            if (segment > 0) out->segment = (uint32_t)segment;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            // This is the address to answer from, even if the datagram was sent to a broadcast address (ip(7)).
            out->local = from_v4(info.ipi_spec_dst);
            out->interface = (uint32_t)info.ipi_ifindex;
            out->has_local = true;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            out->local = from_v6(&info.ipi6_addr);
            out->interface = info.ipi6_ifindex;
            out->has_local = true;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&out->dropped, CMSG_DATA(c), sizeof out->dropped);
            out->has_dropped = true;
        }
    }
}

int cdg_receive(int fd, cdg_receiver *r, cdg_received *out) {
    for (uint32_t i = 0; i < r->used; i++) {
        r->headers[i].msg_hdr.msg_namelen = sizeof r->names[i];
        r->headers[i].msg_hdr.msg_controllen = sizeof r->controls[i];
    }
    r->used = 0;
    int count;
    do {
        count = recvmmsg(fd, r->headers, r->batch, MSG_DONTWAIT, NULL);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    r->used = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        struct msghdr *header = &r->headers[i].msg_hdr;
        out[i] = (cdg_received){
            .source = from_sockaddr(&r->names[i]),
            .length = r->headers[i].msg_len,
            .truncated = (header->msg_flags & MSG_TRUNC) != 0,
        };
        read_controls(header, &out[i]);
    }
    return count;
}

// ---- errors

#define ICMP_UNREACHABLE 3
#define ICMP_UNREACHABLE_PORT 3
#define ICMP6_UNREACHABLE 1
#define ICMP6_UNREACHABLE_PORT 4

static bool is_port_unreachable(const struct sock_extended_err *error) {
    switch (error->ee_origin) {
    case SO_EE_ORIGIN_ICMP:
        return error->ee_type == ICMP_UNREACHABLE && error->ee_code == ICMP_UNREACHABLE_PORT;
    case SO_EE_ORIGIN_ICMP6:
        return error->ee_type == ICMP6_UNREACHABLE && error->ee_code == ICMP6_UNREACHABLE_PORT;
    default: return false;
    }
}

int cdg_receive_error(int fd, cdg_refusal *out) {
    struct sockaddr_storage name = {0};
    // Room for the error with the address of its sender, and for IPV6_PKTINFO.
    union {
        char bytes[256];
        struct cmsghdr align;
    } control;
    struct iovec piece = {out->quoted, sizeof out->quoted};
    struct msghdr header = {
        .msg_name = &name,
        .msg_namelen = sizeof name,
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t length;
    do {
        length = recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    out->quoted_length = (uint32_t)length;
    out->port_unreachable = false;
    if (header.msg_namelen == 0) return 1;
    out->destination = from_sockaddr(&name);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
            || (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
            struct sock_extended_err error;
            memcpy(&error, CMSG_DATA(c), sizeof error);
            out->port_unreachable = is_port_unreachable(&error);
        }
    }
    return 1;
}

// ---- sending

struct cdg_sender {
    uint32_t batch;
    struct mmsghdr *headers;
    struct sockaddr_storage *names;
    control_buffer *controls;
};

cdg_sender *cdg_sender_create(uint32_t batch) {
    cdg_sender *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->batch = batch;
    s->headers = calloc(batch, sizeof *s->headers);
    s->names = calloc(batch, sizeof *s->names);
    s->controls = calloc(batch, sizeof *s->controls);
    if (!s->headers || !s->names || !s->controls) {
        cdg_sender_destroy(s);
        return NULL;
    }
    return s;
}

void cdg_sender_destroy(cdg_sender *s) {
    if (s == NULL) return;
    free(s->headers);
    free(s->names);
    free(s->controls);
    free(s);
}

static size_t put_control(char *at, int level, int type, const void *value, size_t length) {
    struct cmsghdr *c = (struct cmsghdr *)at;
    memset(c, 0, CMSG_SPACE(length));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(c), value, length);
    return CMSG_SPACE(length);
}

static size_t write_controls(char *at, bool v4, const cdg_outgoing *m) {
    size_t used = 0;
    if (m->segment != 0) {
        uint16_t segment = (uint16_t)m->segment;
        used += put_control(at, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
    if (m->has_source && v4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)m->interface, .ipi_spec_dst = to_v4(m->source)};
        used += put_control(at + used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (m->has_source) {
        struct in6_pktinfo info = {.ipi6_addr = to_v6(m->source), .ipi6_ifindex = m->interface};
        used += put_control(at + used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    return used;
}

int cdg_send(
    int fd, bool v4, cdg_sender *s, const cdg_outgoing *messages, uint32_t count, const struct iovec *pieces) {
    if (count > s->batch) count = s->batch;
    for (uint32_t i = 0; i < count; i++) {
        const cdg_outgoing *m = &messages[i];
        struct msghdr *header = &s->headers[i].msg_hdr;
        header->msg_name = &s->names[i];
        header->msg_namelen = to_sockaddr(&m->destination, v4, &s->names[i]);
        header->msg_iov = (struct iovec *)&pieces[m->first];
        header->msg_iovlen = m->pieces;
        header->msg_controllen = write_controls(s->controls[i].bytes, v4, m);
        header->msg_control = header->msg_controllen ? s->controls[i].bytes : NULL;
    }
    int sent;
    do {
        sent = sendmmsg(fd, s->headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static struct timespec to_timespec(int64_t nanoseconds) {
    return (struct timespec){.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
}

int cdg_wait_writable(int fd, int64_t nanoseconds) {
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    struct timespec limit = to_timespec(nanoseconds < 0 ? 0 : nanoseconds);
    return ppoll(&wanted, 1, &limit, NULL) > 0;
}

// ---- streams

int cdg_stream_listen(const cdg_endpoint *bind_to, int backlog, bool free_bind, cdg_endpoint *bound,
                      const char **failed_step) {
    bool v4 = is_v4(bind_to->address);
    struct sockaddr_storage name;
    socklen_t length = to_sockaddr(bind_to, v4, &name);
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *failed_step = "socket";
    if (fd < 0) return -errno;
    *failed_step = "SO_REUSEADDR";
    if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0) goto failed;
    *failed_step = "IPV6_V6ONLY";
    if (!v4 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) goto failed;
    *failed_step = "FREEBIND";
    if (free_bind && set_free_bind(fd, v4) < 0) goto failed;
    *failed_step = "bind";
    if (bind(fd, (struct sockaddr *)&name, length) < 0) goto failed;
    *failed_step = "listen";
    if (listen(fd, backlog) < 0) goto failed;
    *failed_step = "getsockname";
    length = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &length) < 0) goto failed;
    *failed_step = NULL;
    *bound = from_sockaddr(&name);
    return fd;
failed:;
    int code = -errno;
    close(fd);
    return code;
}

int cdg_stream_accept(int listener, cdg_endpoint *peer) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int fd;
    do {
        fd = accept4(listener, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) return -errno;
    // Each answer is written as a whole, so waiting for more data would gain nothing.
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    *peer = from_sockaddr(&name);
    return fd;
}

int64_t cdg_stream_read(int fd, void *buffer, size_t length) {
    ssize_t count;
    do {
        count = recv(fd, buffer, length, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int64_t cdg_stream_write(int fd, const void *bytes, size_t length) {
    ssize_t count;
    do {
        count = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

// ---- the loop

int64_t cdg_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uintptr_t cdg_thread(void) { return (uintptr_t)pthread_self(); }

void cdg_thread_set_name(const char *name) {
    char cut[16] = {0};
    strncpy(cut, name, sizeof cut - 1);
    pthread_setname_np(pthread_self(), cut);
}

int cdg_poll_create(void) {
    int poll = epoll_create1(EPOLL_CLOEXEC);
    return poll < 0 ? -errno : poll;
}

int cdg_poll_add(int poll, int fd, uint64_t key) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int cdg_poll_change(int poll, int fd, uint64_t key, bool readable, bool writable) {
    struct epoll_event event = {.events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0), .data.u64 = key};
    return epoll_ctl(poll, EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : -errno;
}

int cdg_poll_remove(int poll, int fd) { return epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno; }

void cdg_sleep(int64_t nanoseconds) {
    // The kernel may extend every sleep by the thread's timer slack, which is 50 µs by default.
    static _Thread_local bool exact;
    if (!exact) exact = prctl(PR_SET_TIMERSLACK, 1) == 0;
    struct timespec rest = to_timespec(nanoseconds < 0 ? 0 : nanoseconds);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

#define EVENTS_MAX 256

int cdg_poll_wait(int poll, uint64_t *keys, uint32_t count, int64_t nanoseconds) {
    struct epoll_event events[EVENTS_MAX];
    int wanted = count > EVENTS_MAX ? EVENTS_MAX : (int)count;
    int found;
    if (nanoseconds < 0) {
        found = epoll_wait(poll, events, wanted, -1);
    } else {
        struct timespec limit = to_timespec(nanoseconds);
        found = (int)syscall(SYS_epoll_pwait2, poll, events, wanted, &limit, NULL, 0);
        // Linux before 5.11 has only epoll_wait, which takes whole milliseconds: rounded up, it never ends early.
        if (found < 0 && errno == ENOSYS) {
            int64_t milliseconds = (nanoseconds + 999999) / 1000000;
            found = epoll_wait(poll, events, wanted, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds);
        }
    }
    if (found < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < found; i++) {
        keys[i] = events[i].data.u64 | (events[i].events & EPOLLERR ? CDG_POLL_ERROR : 0);
    }
    return found;
}

int cdg_event_create(void) {
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return event < 0 ? -errno : event;
}

void cdg_event_signal(int event) { eventfd_write(event, 1); }

void cdg_event_clear(int event) {
    eventfd_t value;
    eventfd_read(event, &value);
}

const char *cdg_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

int cdg_usable_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count;
}

int cdg_die_with_parent(void) {
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 ? 0 : -errno;
}
