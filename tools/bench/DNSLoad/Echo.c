// The minimal UDP server: recvmmsg, sendmmsg, and only the QR bit set in between. No name server can be cheaper.
#define _GNU_SOURCE
#include "DNSLoad.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 64

int echo_main(int argc, char **argv) {
    (void)argc;
    struct sockaddr_in at = endpoint(argv[1]);
    int fd = open_socket(&at, NULL);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    static uint8_t buffers[BATCH][2048];
    static struct sockaddr_in names[BATCH];
    static struct iovec pieces[BATCH];
    static struct mmsghdr messages[BATCH];
    for (int i = 0; i < BATCH; i++) {
        pieces[i].iov_base = buffers[i];
        messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    printf("ready\n");
    fflush(stdout);
    while (true) {
        for (int i = 0; i < BATCH; i++) {
            pieces[i].iov_len = sizeof buffers[i];
            messages[i].msg_hdr.msg_namelen = sizeof names[i];
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("recvmmsg");
        for (int i = 0; i < count; i++) {
            pieces[i].iov_len = messages[i].msg_len;
            buffers[i][2] |= 0x80;
        }
        for (int done = 0; done < count;) {
            int sent = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
            done += sent > 0 ? sent : 1;
        }
    }
}
