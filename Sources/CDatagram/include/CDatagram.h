// The datagram shim: our own structs over recvmmsg, sendmmsg, UDP_SEGMENT, UDP_GRO, IP_PKTINFO, epoll and eventfd, so
// that Swift never touches a control message. A negative result is -errno.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// An IPv6 address as two host-order halves; IPv4 is IPv4-mapped (RFC 4291 §2.5.5.2).
typedef struct {
    uint64_t high;
    uint64_t low;
} cdg_address;

typedef struct {
    cdg_address address;
    uint16_t port;
} cdg_endpoint;

// ---- sockets

typedef enum {
    CDG_MTU_SYSTEM = 0,  // the system's default
    CDG_MTU_DONT_FRAGMENT,  // DF set; datagrams above the path MTU fail with EMSGSIZE (IP_PMTUDISC_DO)
    CDG_MTU_OMIT,  // path MTU ignored, DF clear (IP_PMTUDISC_OMIT)
} cdg_mtu_policy;

typedef struct {
    bool reuse_address;
    bool reuse_port;
    bool free_bind;  // IP_FREEBIND, IPV6_FREEBIND
    bool receive_offload;
    bool report_drops;  // SO_RXQ_OVFL: received messages carry `dropped`
    bool report_errors;  // IP_RECVERR, IPV6_RECVERR: ICMP errors fill a queue that cdg_receive_error reads
    cdg_mtu_policy mtu;
    uint32_t receive_buffer_bytes;
    uint32_t send_buffer_bytes;
} cdg_socket_options;

// What the kernel granted, or the step that failed.
typedef struct {
    cdg_endpoint bound;
    uint32_t receive_buffer_bytes;  // as the kernel reports it: doubled, to include its bookkeeping
    uint32_t send_buffer_bytes;
    bool wildcard;
    bool receive_offload;
    bool segmentation_offload;
    const char *failed_step;  // static text; NULL when opened
} cdg_socket_report;

int cdg_socket_open(const cdg_endpoint *bind_to, const cdg_socket_options *options, cdg_socket_report *report);
int cdg_socket_disable_receive_offload(int fd);
// The socket's cumulative count of datagrams dropped for lack of receive buffer space; it wraps (SO_MEMINFO).
uint32_t cdg_socket_drops(int fd);
void cdg_close(int fd);

// ---- receiving

// One message. With receive offload it can hold several datagrams of `segment` bytes; the last one may be shorter.
typedef struct {
    cdg_endpoint source;
    cdg_address local;  // when has_local
    uint32_t interface;
    uint32_t length;
    uint32_t segment;  // 0: one datagram
    uint32_t dropped;  // when has_dropped: the socket's cumulative count, wrapping (SO_RXQ_OVFL)
    bool has_local;
    bool has_dropped;
    bool truncated;
} cdg_received;

typedef struct cdg_receiver cdg_receiver;
cdg_receiver *cdg_receiver_create(uint32_t batch, uint32_t buffer_bytes);
void cdg_receiver_destroy(cdg_receiver *receiver);
void *cdg_receiver_buffer(const cdg_receiver *receiver, uint32_t index);
// Returns the number of messages received into `out`, which must have room for a batch; 0 if none is waiting.
int cdg_receive(int fd, cdg_receiver *receiver, cdg_received *out);

// ---- errors

// The first bytes of a refused datagram that cdg_receive_error keeps: more than any header of ours.
#define CDG_QUOTED_MAX 64

// One entry of the error queue of a socket with `report_errors`.
typedef struct {
    cdg_endpoint destination;  // of the datagram that caused the error
    uint8_t quoted[CDG_QUOTED_MAX];  // the start of its payload, as far as the ICMP message quotes it
    uint32_t quoted_length;
    bool port_unreachable;  // ICMP type 3 code 3, ICMPv6 type 1 code 4
} cdg_refusal;

// Takes the oldest entry of the error queue. Returns 1, 0 if the queue is empty, or -errno.
int cdg_receive_error(int fd, cdg_refusal *out);

// ---- sending

// One message: `pieces` iovecs, beginning with number `first`. If `segment` is not 0, the kernel cuts the message into
// datagrams of that many bytes.
typedef struct {
    cdg_endpoint destination;
    cdg_address source;  // when has_source
    uint32_t interface;  // 0: by the routing table
    uint32_t first;
    uint32_t pieces;
    uint32_t segment;  // 0: one datagram
    bool has_source;
} cdg_outgoing;

typedef struct cdg_sender cdg_sender;
cdg_sender *cdg_sender_create(uint32_t batch);
void cdg_sender_destroy(cdg_sender *sender);
// Returns the number of messages sent, at least 1 and at most a batch; or -errno, which then applies to the first of
// `messages`.
int cdg_send(
    int fd, bool v4, cdg_sender *sender, const cdg_outgoing *messages, uint32_t count, const struct iovec *pieces);
// Returns 1 if the descriptor becomes writable within this time, otherwise 0.
int cdg_wait_writable(int fd, int64_t nanoseconds);

// ---- streams (TCP), all non-blocking

// Returns a listening descriptor, or -errno. Sets `bound` to its actual endpoint and `failed_step` to static text, or
// to NULL on success.
int cdg_stream_listen(const cdg_endpoint *bind_to, int backlog, bool free_bind, cdg_endpoint *bound,
                      const char **failed_step);
// Accepts a connection and turns off Nagle's algorithm. Returns its descriptor, or -errno: -EAGAIN if none is waiting.
int cdg_stream_accept(int listener, cdg_endpoint *peer);
// Returns the number of bytes read, 0 at the end of the stream, or -errno.
int64_t cdg_stream_read(int fd, void *buffer, size_t length);
// Returns the number of bytes that the kernel accepted, or -errno.
int64_t cdg_stream_write(int fd, const void *bytes, size_t length);

// ---- the loop

int64_t cdg_now(void);  // CLOCK_MONOTONIC, nanoseconds
uintptr_t cdg_thread(void);  // identity of the calling thread, never 0
void cdg_thread_set_name(const char *name);  // of the calling thread; cut at 15 bytes
int cdg_poll_create(void);
int cdg_poll_add(int poll, int fd, uint64_t key);
// Selects the events of `fd` that cdg_poll_wait reports: readable, writable, both or neither. It always reports errors
// and hang-ups. `fd` must have been added before.
int cdg_poll_change(int poll, int fd, uint64_t key, bool readable, bool writable);
int cdg_poll_remove(int poll, int fd);
// Set by cdg_poll_wait in the key of a descriptor that has an error, such as an entry in its error queue.
#define CDG_POLL_ERROR (1ull << 61)

// Waits for events, without limit if `nanoseconds` is negative. Writes the keys of the descriptors with events to
// `keys` and returns their number; 0 on time-out or signal.
int cdg_poll_wait(int poll, uint64_t *keys, uint32_t count, int64_t nanoseconds);
void cdg_sleep(int64_t nanoseconds);  // suspends the calling thread, as precisely as the kernel can
int cdg_event_create(void);
void cdg_event_signal(int event);
void cdg_event_clear(int event);
const char *cdg_error_text(int code);

// The number of processors that this process may run on, at least 1. Under taskset or in a container, the machine may
// have more.
int cdg_usable_processors(void);

// Makes the kernel send SIGTERM to this process when its parent ends. Returns 0, or -errno.
int cdg_die_with_parent(void);
