/* Steered receive: which socket hears a media port, told by a table instead of by a socket for each port. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "stack_words.h"
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

/* A struct steered_port, as it is written on the stack. */
struct port_key {
    __u64 words[3];
};

/* A port that is not in the table is looked up as if this program were not there. */
SEC("sk_lookup")
int steer(struct bpf_sk_lookup *packet)
{
    struct port_key key;
    __u32 *worker, slot;
    __u64 index;
    struct bpf_sock *socket;

    if (packet->protocol != IPPROTO_UDP)
        return SK_PASS;
    if (packet->family == STEERING_IPV4) {
        key.words[0] = two_words(packet->local_ip4, 0);
        key.words[1] = 0;
        slot = 0;
    } else {
        key.words[0] = two_words(packet->local_ip6[0], packet->local_ip6[1]);
        key.words[1] = two_words(packet->local_ip6[2], packet->local_ip6[3]);
        slot = 1;
    }
    key.words[2] = two_words(two_halves(packet->local_port, packet->family), 0);
    worker = bpf_map_lookup_elem(&ports, &key);
    if (!worker)
        return SK_PASS;
    index = two_words(2 * *worker + slot, 0);
    socket = bpf_map_lookup_elem(&sockets, &index);
    if (!socket)
        return SK_PASS;
    bpf_sk_assign(packet, socket, 0);
    bpf_sk_release(socket);
    return SK_PASS;
}

char natkit_license[] SEC("license") = "GPL";
