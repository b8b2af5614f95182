// The datagram shim: our own structs over recvmmsg, sendmmsg and epoll.
#pragma once
