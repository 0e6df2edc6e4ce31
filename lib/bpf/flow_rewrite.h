/* How the flow table makes one packet of another: addresses, ports, TOS, hop limit and checksums, of one family or from one to the
 * other. */
#pragma once

#include "flow_packet.h"

/* What a packet becomes. No pointer is null where it is not looked at: kernels before 6.16 follow a program without CAP_PERFMON along
 * branches that it cannot take, as a CPU may, and refuse what it would read there. */
struct rule {
	const struct flow *flow;
	const struct flow_rest *rest; /* of IPv6 */
	int to_ipv6;
};

/* Ones' complement sums (RFC 1624): the difference that replacing words makes. */
static __always_inline __u32 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)sum;
}

static __always_inline __u16 fold16(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline __u64 sum_of(const __u32 *words, int count)
{
	__u64 sum = 0;
#pragma unroll
	for (int i = 0; i < count; ++i)
		sum += words[i];
	return sum;
}

static __always_inline void write_address(__u32 *to, __u32 first, const __u32 *rest)
{
	to[0] = first;
	to[1] = rest[0];
	to[2] = rest[1];
	to[3] = rest[2];
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const struct packet *packet, const struct rule *rule)
{
	*(__u32 *)ip = bpf_htonl(0x60000000 | (__u32)rule->flow->tos << 20);
	ip->payload_len = bpf_htons(packet->payload + sizeof(struct udphdr));
	ip->nexthdr = IPPROTO_UDP;
	ip->hop_limit = packet->hops - 1;
	write_address((__u32 *)&ip->saddr, rule->flow->new_source, rule->rest->new_source);
	write_address((__u32 *)&ip->daddr, rule->flow->new_destination, rule->rest->new_destination);
}

/* The header of one family rewritten. What a card has summed up for us (CHECKSUM_COMPLETE) covers it: an IPv4 header and its
 * checksum add nothing, an IPv6 header adds itself. */
static __always_inline int rewrite_ipv4(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule)
{
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return -1;
	const __u32 *words = (const __u32 *)ip;
	__u64 sum = (__u64)(__u16)~ip->check + (__u32)~words[0] + (__u32)~words[2] + (__u32)~words[3] + (__u32)~words[4];
	ip->tos = rule->flow->tos;
	ip->ttl = packet->hops - 1;
	ip->saddr = rule->flow->new_source;
	ip->daddr = rule->flow->new_destination;
	/* words[2] holds the checksum too, which RFC 1624 keeps out of what has changed. */
	sum += ip->check;
	ip->check = 0;
	sum += (__u64)words[0] + words[2] + words[3] + words[4];
	ip->check = ~fold16(fold(sum));
	return 0;
}

static __always_inline int rewrite_ipv6(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule)
{
	struct ipv6hdr *ip = (void *)(long)skb->data + ETH_HLEN;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return -1;
	__u32 before = fold(sum_of((const __u32 *)ip, 10));
	write_ipv6(ip, packet, rule);
	__u32 change = fold((__u64)(~before) + sum_of((const __u32 *)ip, 10));
	bpf_csum_update(skb, change);
	return 0;
}

static __always_inline int make_ipv6(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule)
{
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return -1;
	struct ethhdr *ethernet = (void *)(long)skb->data;
	struct ipv6hdr *ip = (void *)(ethernet + 1);
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return -1;
	ethernet->h_proto = bpf_htons(ETH_P_IPV6);
	write_ipv6(ip, packet, rule);
	__u32 change = fold(sum_of((const __u32 *)ip, 10));
	bpf_csum_update(skb, change);
	return 0;
}

static __always_inline int make_ipv4(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule)
{
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
		return -1;
	struct ethhdr *ethernet = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return -1;
	ethernet->h_proto = bpf_htons(ETH_P_IP);
	/* Of the old header the first half is gone, and taken out of the sum; the second half is overwritten. */
	__u32 change = ~fold(sum_of((const __u32 *)ip, 5));
	*(__u8 *)ip = 0x45;
	ip->tos = rule->flow->tos;
	ip->tot_len = bpf_htons(packet->payload + sizeof(struct udphdr) + sizeof(struct iphdr));
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000); /* whole, as it was (RFC 6864): no identification needed */
	ip->ttl = packet->hops - 1;
	ip->protocol = IPPROTO_UDP;
	ip->check = 0;
	ip->saddr = rule->flow->new_source;
	ip->daddr = rule->flow->new_destination;
	ip->check = ~fold16(fold(sum_of((const __u32 *)ip, 5)));
	bpf_csum_update(skb, change);
	return 0;
}

/* The ports, and the checksum of UDP: of addresses and ports what has changed. Where the sender left it to a card, the field holds
 * the sum of the addresses alone, which the helper knows. */
static __always_inline int rewrite_udp(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule,
				       const __u32 offset)
{
	struct udphdr *udp = fixed((void *)(long)skb->data + offset);
	if ((void *)(udp + 1) > (void *)(long)skb->data_end)
		return -1;
	udp->source = rule->flow->new_source_port;
	udp->dest = rule->flow->new_destination_port;
	if (packet->check == 0)
		return 0;
	const __u32 field = offset + __builtin_offsetof(struct udphdr, check);
	if (bpf_l4_csum_replace(skb, field, 0, rule->flow->address_change, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0))
		return -1;
	return (int)bpf_l4_csum_replace(skb, field, 0, rule->flow->port_change, BPF_F_MARK_MANGLED_0);
}

static __always_inline int rewrite(struct __sk_buff *skb, const struct packet *packet, const struct rule *rule)
{
	/* What pads a short frame is not the packet's. */
	const __u32 length = ETH_HLEN + packet->header + sizeof(struct udphdr) + packet->payload;
	if (skb->len > length && bpf_skb_change_tail(skb, length, 0))
		return -1;
	if (!rule->to_ipv6) {
		if (packet->key.family == AF_INET ? rewrite_ipv4(skb, packet, rule) : make_ipv4(skb, packet, rule))
			return -1;
		return rewrite_udp(skb, packet, rule, ETH_HLEN + sizeof(struct iphdr));
	}
	if (packet->key.family == AF_INET6 ? rewrite_ipv6(skb, packet, rule) : make_ipv6(skb, packet, rule))
		return -1;
	return rewrite_udp(skb, packet, rule, ETH_HLEN + sizeof(struct ipv6hdr));
}
