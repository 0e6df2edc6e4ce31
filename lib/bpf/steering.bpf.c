/* Steered receive: which socket hears a media port, told by a table instead of by a socket for each port. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steering_shared.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __type(key, struct steered_port);
    __type(value, __u32);
} ports SEC(".maps");

/* By worker: its IPv4 socket, its IPv6 socket. */
struct {
    __uint(type, BPF_MAP_TYPE_SOCKMAP);
    __uint(max_entries, 2 * STEERING_WORKERS);
    __type(key, __u32);
    __type(value, __u64);
} sockets SEC(".maps");

/* A port that is not in the table is looked up as if this program were not there. */
SEC("sk_lookup")
int steer(struct bpf_sk_lookup *packet)
{
    struct steered_port port = {};
    __u32 *worker, slot;
    struct bpf_sock *socket;

    if (packet->protocol != IPPROTO_UDP)
        return SK_PASS;
    port.port = packet->local_port;
    if (packet->family == STEERING_IPV4) {
        port.address[0] = packet->local_ip4;
        slot = 0;
    } else {
        port.address[0] = packet->local_ip6[0];
        port.address[1] = packet->local_ip6[1];
        port.address[2] = packet->local_ip6[2];
        port.address[3] = packet->local_ip6[3];
        slot = 1;
    }
    port.family = packet->family;
    worker = bpf_map_lookup_elem(&ports, &port);
    if (!worker)
        return SK_PASS;
    slot += 2 * *worker;
    socket = bpf_map_lookup_elem(&sockets, &slot);
    if (!socket)
        return SK_PASS;
    bpf_sk_assign(packet, socket, 0);
    bpf_sk_release(socket);
    return SK_PASS;
}

char natkit_license[] SEC("license") = "GPL";
