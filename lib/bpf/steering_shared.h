/* What steering.bpf.c and steering.cpp have in common. */
#ifndef NATKIT_STEERING_SHARED_H
#define NATKIT_STEERING_SHARED_H

#include <linux/types.h>

/* NOLINTBEGIN(readability-identifier-naming): the kernel's way of naming */

#define STEERING_WORKERS 64

/* AF_INET and AF_INET6, of which neither side may include the header. */
#define STEERING_IPV4 2
#define STEERING_IPV6 10

/* A local address and port of UDP. The address in network byte order, IPv4 in the first word; the port in the host's. */
struct steered_port {
    __u32 address[4];
    __u16 port;
    __u16 family; /* STEERING_IPV4 or STEERING_IPV6 */
};
/* NOLINTEND(readability-identifier-naming) */

#endif
