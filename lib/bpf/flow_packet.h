/* What the flow table reads of a packet. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow_maps.h"

#define AF_INET 2
#define AF_INET6 10
#define barrier() asm volatile("" ::: "memory")
/* The compiler forgets how the value came about, and cannot make one computation, at a variable place, of two branches' constants. */
#define fixed(value) ({ typeof((value) + 0) fixed_ = (value); asm volatile("" : "+r"(fixed_)); fixed_; })

/* What of a packet is asked for more than once. */
struct packet {
	struct flow_key key;
	__u32 header;  /* bytes of the IP header: 20 or 40 */
	__u32 payload; /* bytes of UDP payload */
	__u16 check;   /* of UDP */
	__u8 hops;
	__u8 first, second; /* of the payload */
	__u16 sequence;
	__u32 timestamp;
	__u32 ssrc;
	__u8 rtcp;
};

static __always_inline int read_ipv4(const struct __sk_buff *skb, const struct iphdr *ip, struct packet *packet)
{
	__u32 length = bpf_ntohs(ip->tot_len);
	/* Options are for the slow path, fragments have no ports. */
	if (*(const __u8 *)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)) || ip->protocol != IPPROTO_UDP)
		return 0;
	if (length < sizeof(struct iphdr) + sizeof(struct udphdr) || skb->len < ETH_HLEN + length)
		return 0;
	packet->key.family = AF_INET;
	packet->key.source[0] = ip->saddr;
	packet->key.destination[0] = ip->daddr;
	packet->hops = ip->ttl;
	packet->header = sizeof(struct iphdr);
	packet->payload = length - sizeof(struct iphdr) - sizeof(struct udphdr);
	return 1;
}

static __always_inline int read_ipv6(const struct __sk_buff *skb, const struct ipv6hdr *ip, struct packet *packet)
{
	__u32 length = bpf_ntohs(ip->payload_len);
	if ((*(const __u8 *)ip >> 4) != 6 || ip->nexthdr != IPPROTO_UDP || length < sizeof(struct udphdr) ||
	    skb->len < ETH_HLEN + sizeof(struct ipv6hdr) + length)
		return 0;
	packet->key.family = AF_INET6;
	__builtin_memcpy(packet->key.source, &ip->saddr, 16);
	__builtin_memcpy(packet->key.destination, &ip->daddr, 16);
	packet->hops = ip->hop_limit;
	packet->header = sizeof(struct ipv6hdr);
	packet->payload = length - sizeof(struct udphdr);
	return 1;
}

/* The ports, and what RTP and RTCP have at the same places. `udp`: at a constant place, as a program without CAP_PERFMON may not add
 * to a packet's address what it has computed. */
static __always_inline int read_udp(const struct udphdr *udp, const void *end, struct packet *packet)
{
	const __u8 *payload = (const void *)(udp + 1);
	if ((const void *)(payload + 12) > end)
		return 0;
	if (bpf_ntohs(udp->len) != packet->payload + sizeof(struct udphdr) || packet->payload < 12)
		return 0;
	packet->key.source_port = udp->source;
	packet->key.destination_port = udp->dest;
	packet->check = udp->check;
	packet->first = payload[0];
	packet->second = payload[1];
	packet->sequence = bpf_ntohs(*(const __u16 *)(payload + 2));
	packet->timestamp = bpf_ntohl(*(const __u32 *)(payload + 4));
	/* RTP and RTCP share the two first bits; RFC 5761 section 4 tells them apart by the second byte. */
	packet->rtcp = packet->second >= 192 && packet->second <= 223;
	__u32 of_rtcp = fixed(*(const __u32 *)(payload + 4));
	__u32 of_rtp = fixed(*(const __u32 *)(payload + 8));
	packet->ssrc = packet->rtcp ? of_rtcp : of_rtp;
	return 1;
}

/* Whether it is plain UDP, whole, for this host. */
static __always_inline int read_packet(struct __sk_buff *skb, struct packet *packet)
{
	const __u32 wanted = ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct udphdr) + 12;
	const __u32 least = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr) + 12;
	/* A tagged frame belongs to the VLAN's own interface. */
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present || skb->gso_size || skb->len < least)
		return 0;
	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return 0;
	const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	if (data + wanted > end) {
		bpf_skb_pull_data(skb, skb->len < wanted ? skb->len : wanted);
		data = (const void *)(long)skb->data;
		end = (const void *)(long)skb->data_end;
	}
	if (data + least > end)
		return 0;
	packet->key.ifindex = skb->ifindex;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (!read_ipv4(skb, data + ETH_HLEN, packet))
			return 0;
		return read_udp(fixed(data + ETH_HLEN + sizeof(struct iphdr)), end, packet);
	}
	if (data + wanted > end || !read_ipv6(skb, data + ETH_HLEN, packet))
		return 0;
	return read_udp(fixed(data + ETH_HLEN + sizeof(struct ipv6hdr)), end, packet);
}
