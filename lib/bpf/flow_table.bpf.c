// The flow table: a packet whose interface and 4-tuple have an entry is rewritten and sent on from here, within the receiving
// interface's softirq. Everything else, and everything unusual, goes its ordinary way (TC_ACT_UNSPEC: others' filters see it too).
#include <asm-generic/errno-base.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "flow_rewrite.h"
#include "stack_words.h"

/* RFC 3550 section A.1 */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 100
#define JITTER_WEIGHT 8
#define LOOPBACK 1 /* its index in every network namespace */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOW_PLACES / 2);
	__type(key, __u32);
	__type(value, struct flow_place_pair);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct flow_rest);
} rests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PASSED_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} passed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_proof);
} proofs SEC(".maps");

/* Where a packet goes next, as helpers are asked and told. Not on the stack (stack_words.h). A CPU has one packet at a time. */
struct way {
	struct bpf_fib_lookup route;
	struct bpf_redir_neigh next;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct way);
} ways SEC(".maps");

/* The flow with that number, if it is the key's. */
static __always_inline struct flow *look_at(const struct flow_key *key, __u32 number)
{
	const __u64 index = two_words(number, 0);
	struct flow *flow = bpf_map_lookup_elem(&flows, &index);
	if (!flow || !flow_is_like(flow, key))
		return 0;
	if (key->family == AF_INET)
		return flow;
	const struct flow_rest *rest = bpf_map_lookup_elem(&rests, &index);
	return rest && flow_rest_is_like(rest, key) ? flow : 0;
}

static __always_inline struct flow *find(const struct flow_key *key, __u32 *number)
{
	const __u32 port = bpf_ntohs(key->destination_port);
#pragma unroll
	for (int attempt = 0; attempt < FLOW_TRIES; ++attempt) {
		const __u32 place = flow_place_of(key->destination, port, attempt);
		const __u64 at = two_words(place / 2, 0);
		const struct flow_place_pair *pair = bpf_map_lookup_elem(&places, &at);
		if (!pair)
			continue;
		const __u32 even = fixed(pair->even), odd = fixed(pair->odd);
		const __u32 slot_and_one = place & 1 ? odd : even;
		if (!slot_and_one)
			continue;
		*number = slot_and_one - 1;
		struct flow *flow = look_at(key, *number);
		if (flow)
			return flow;
	}
	return 0;
}

static __always_inline int leave(__u32 why)
{
	const __u64 reason = two_words(why, 0);
	__u64 *count = bpf_map_lookup_elem(&passed, &reason);
	if (count)
		++*count;
	return TC_ACT_UNSPEC;
}

static __always_inline int unlike(const struct flow *flow, const struct packet *packet)
{
	if (packet->first >> 6 != 2)
		return PASSED_OTHER_KIND;
	if (!(flow->kind & (packet->rtcp ? FLOW_RTCP : FLOW_RTP)))
		return PASSED_OTHER_KIND;
	if (flow->ssrc != packet->ssrc)
		return PASSED_OTHER_SSRC;
	return -1;
}

/* Jitter as RFC 3550 section A.8 counts it, with a larger weight as it is sampled: to read the clock costs as much as all that is
 * counted else. */
static __always_inline void sample_jitter(struct flow_state *state, const struct packet *packet, __u32 rate, int in_order)
{
	const __u32 of_eight = packet->sequence & 7;
	if (!rate || of_eight > 1)
		return;
	const __u64 now = bpf_ktime_get_ns();
	const __u64 before = state->sample;
	const __s32 sent = packet->timestamp - state->sample_timestamp;
	state->sample = of_eight == 0 ? now : 0;
	state->sample_timestamp = packet->timestamp;
	if (of_eight == 0 || !before || !in_order || !sent)
		return;
	const __u64 sent_ns = (__u64)(sent < 0 ? -sent : sent) * 1000000000ULL / rate;
	const __u64 passed_ns = now - before;
	const __u64 apart = sent < 0 ? passed_ns + sent_ns : passed_ns > sent_ns ? passed_ns - sent_ns : sent_ns - passed_ns;
	/* A second is silence suppression, not jitter. */
	if (apart < 1000000000ULL)
		state->jitter = state->jitter - state->jitter / JITTER_WEIGHT + (__u32)apart / JITTER_WEIGHT;
}

/* Loss as RFC 3550 section A.1 counts it. The packets of one flow come by one CPU; should they not, loss and jitter are estimates,
 * while packets and bytes stay exact. */
static __always_inline void count_rtp(struct flow_state *state, const struct packet *packet, __u32 rate, __u64 now)
{
	if (!state->rtp_last)
		state->sequence = state->start_sequence = (__u16)(packet->sequence - 1);
	__u16 forward = packet->sequence - (__u16)state->sequence;
	++state->rtp_packets;
	if (forward && forward < MAX_DROPOUT) {
		state->sequence += forward;
	} else if (forward >= MAX_DROPOUT && forward <= 65536 - MAX_MISORDER - 1) {
		/* A new count: what was skipped is not lost. */
		state->sequence += forward;
		state->start_sequence += forward - 1;
	}
	sample_jitter(state, packet, rate, forward == 1);
	state->timestamp = packet->timestamp;
	state->rtp_last = now;
}

static __always_inline void count(struct flow_state *state, const struct packet *packet, __u32 rate, __u64 now)
{
	__sync_fetch_and_add(&state->packets, 1);
	__sync_fetch_and_add(&state->bytes, packet->payload);
	state->last = now;
	if (!packet->rtcp)
		count_rtp(state, packet, rate, now);
}

/* The next hop of what the packet will be, as this host's own packets are routed: 0, or why not. */
static __always_inline int find_route(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule,
				      struct bpf_fib_lookup *route)
{
	const struct flow *flow = rule->flow;
	__builtin_memset(route, 0, sizeof(*route));
	route->l4_protocol = IPPROTO_UDP;
	route->sport = flow->new_source_port;
	route->dport = flow->new_destination_port;
	route->ifindex = LOOPBACK;
	if (!rule->to_ipv6) {
		route->family = AF_INET;
		route->tot_len = packet->payload + sizeof(struct udphdr) + sizeof(struct iphdr);
		route->tos = flow->tos;
		route->ipv4_src = flow->new_source;
		route->ipv4_dst = flow->new_destination;
		barrier(); /* or the compiler makes one store, at a variable place, of the two branches' last ones */
	} else {
		route->family = AF_INET6;
		route->tot_len = packet->payload + sizeof(struct udphdr) + sizeof(struct ipv6hdr);
		route->flowinfo = bpf_htonl((__u32)flow->tos << 20);
		write_address(route->ipv6_src, flow->new_source, rule->rest->new_source);
		write_address(route->ipv6_dst, flow->new_destination, rule->rest->new_destination);
	}
	/* The neighbour is found when it leaves. Before Linux 6.3 there is no such flag. */
	const int found = bpf_fib_lookup(skb, route, sizeof(*route), BPF_FIB_LOOKUP_SKIP_NEIGH);
	return found == -EINVAL ? bpf_fib_lookup(skb, route, sizeof(*route), 0) : found;
}

/* What others have noted on the packet makes it vanish elsewhere. The compiler must not make one store of two. */
static __always_inline void scrub(struct __sk_buff *skb, __u32 priority)
{
	skb->mark = 0;
	barrier();
	skb->queue_mapping = 0;
	barrier();
	skb->priority = priority;
	barrier();
	skb->tstamp = 0;
}

static __always_inline int show(struct __sk_buff *skb, int route)
{
	const __u64 zero = 0;
	struct flow_proof *proof = bpf_map_lookup_elem(&proofs, &zero);
	if (!proof)
		return TC_ACT_SHOT;
	proof->length = skb->len;
	proof->route = route;
	proof->mark = skb->mark;
	proof->queue = skb->queue_mapping;
	proof->has_timestamp = skb->tstamp != 0;
	/* A test's packet is longer than that in each family. */
	bpf_skb_load_bytes(skb, 0, proof->bytes, sizeof(proof->bytes));
	__sync_fetch_and_add(&proof->serial, 1);
	return TC_ACT_SHOT;
}

static __always_inline int send_on(struct way *way)
{
	const struct bpf_fib_lookup *route = &way->route;
	way->next.nh_family = route->family;
	if (route->family == AF_INET)
		way->next.ipv4_nh = route->ipv4_dst;
	else
		__builtin_memcpy(way->next.ipv6_nh, route->ipv6_dst, 16);
	return (int)bpf_redirect_neigh(route->ifindex, &way->next, sizeof(way->next), 0);
}

SEC("tc")
int natkit_flow(struct __sk_buff *skb)
{
	struct packet packet = {};
	__u32 number;
	if (!read_packet(skb, &packet))
		return TC_ACT_UNSPEC;
	struct flow *flow = find(&packet.key, &number);
	if (!flow)
		return TC_ACT_UNSPEC;
	const __u64 now = bpf_ktime_get_coarse_ns();
	if (now >= flow->expires)
		return leave(PASSED_EXPIRED);
	if (packet.hops <= 1)
		return leave(PASSED_LAST_HOP);
	const int reason = unlike(flow, &packet);
	if (reason >= 0)
		return leave(reason);
	const __u64 index = two_words(number, 0);
	const struct rule rule = {
		.flow = flow, .rest = bpf_map_lookup_elem(&rests, &index), .to_ipv6 = flow->new_family == AF_INET6};
	if (!rule.rest)
		return TC_ACT_UNSPEC;
	if (packet.check == 0 && (rule.to_ipv6 || packet.key.family == AF_INET6))
		return leave(PASSED_NO_CHECKSUM);

	const __u64 zero = 0;
	struct way *way = bpf_map_lookup_elem(&ways, &zero);
	if (!way)
		return TC_ACT_UNSPEC;
	const int found = find_route(skb, &packet, &rule, &way->route);
	if (!flow->proof) {
		if (found == BPF_FIB_LKUP_RET_FRAG_NEEDED)
			return leave(PASSED_TOO_LARGE);
		if (found == BPF_FIB_LKUP_RET_FWD_DISABLED)
			return leave(PASSED_NO_FORWARDING);
		if ((found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH) || way->route.ifindex == LOOPBACK)
			return leave(PASSED_NO_ROUTE);
	}
	/* From here on the packet is no longer what came. */
	if (rewrite(skb, &packet, &rule)) {
		leave(PASSED_FAILED);
		return TC_ACT_SHOT;
	}
	scrub(skb, flow->priority);
	count(&flow->state, &packet, flow->clock_rate, now);
	return flow->proof ? show(skb, found) : send_on(way);
}

/* Run by the process on a packet that it made: puts it before the filter of an interface, as if it had come there. The filter is to
 * find it marked, as packets of others' are. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} injection SEC(".maps");

SEC("tc")
int natkit_inject(struct __sk_buff *skb)
{
	const __u64 zero = 0;
	const __u32 *ifindex = bpf_map_lookup_elem(&injection, &zero);
	if (!ifindex)
		return -1;
	skb->mark = 0x0e00;
	barrier();
	skb->queue_mapping = 1;
	return (int)bpf_clone_redirect(skb, *ifindex, BPF_F_INGRESS);
}

char natkit_license[] SEC("license") = "Dual MIT/GPL";
