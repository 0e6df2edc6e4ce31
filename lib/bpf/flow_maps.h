/* The maps of flow_table.bpf.c as the kernel's side and the process see them. Addresses, ports and SSRCs are in network order; an
 * IPv4 address is the first of four words, the others are zero. What lies in a bpffs has this shape: FLOW_VERSION names it. */
#pragma once
/* NOLINTBEGIN(readability-identifier-naming): the kernel's way of naming */

#define FLOW_VERSION "v3"

/* In the map `places`, two a value, and how many of them a flow may have. */
#define FLOW_PLACES (1U << 17)
#define FLOW_TRIES 4

enum flow_kind {
	FLOW_RTP = 1,  /* RTP of one SSRC */
	FLOW_RTCP = 2, /* RTCP of one SSRC */
	FLOW_MUX = 3,  /* both (RFC 5761) */
};

/* A packet's: what it came by, from and to. */
struct flow_key {
	unsigned int ifindex;
	unsigned short source_port, destination_port;
	unsigned int source[4], destination[4];
	unsigned char family; /* AF_INET, AF_INET6 */
	unsigned char reserved[3];
};

/* What it has seen: the kernel's side writes it. Times are CLOCK_MONOTONIC, in ns, some milliseconds coarse but
 * for `sample`. */
struct flow_state {
	unsigned long long packets;
	unsigned long long bytes; /* of UDP payload */
	unsigned long long last;
	unsigned int sequence; /* the highest, extended by its cycles */
	unsigned int timestamp;
	unsigned long long rtp_last; /* when `timestamp` came */
	unsigned int rtp_packets;
	unsigned int jitter; /* ns */
	unsigned int start_sequence; /* `sequence` when the flow was added */
	unsigned int sample_timestamp;
	unsigned long long sample; /* when that came, exactly: jitter is taken of two packets in a row of each eight; 0: none */
};

/* A flow: memory that both sides have mapped. The process writes it whole, `ifindex` last, and uses it for another flow only when no
 * packet can be under way with it any more. A packet of IPv4 asks for two cache lines beside each other and no more: what it came as
 * and what becomes of it, and what is counted. Of IPv6 addresses these are the first words, of IPv4 ones all. */
struct flow {
	unsigned long long expires; /* the process moves it on */
	unsigned int ifindex;	    /* 0: no flow is here */
	unsigned short source_port, destination_port;
	unsigned int source, destination;
	unsigned char family; /* AF_INET, AF_INET6 */
	unsigned char kind;
	unsigned char proof;	/* not sent but shown in the map `proofs`: the self-test */
	unsigned char priority; /* of queues, as the kernel takes it from the TOS */
	unsigned int ssrc;
	unsigned int clock_rate;		  /* Hz; 0: unknown, and no jitter */
	unsigned int address_change, port_change; /* of the sums of addresses and ports (RFC 1624) */
	unsigned int new_source, new_destination;
	unsigned short new_source_port, new_destination_port;
	unsigned char new_family;
	unsigned char tos;
	unsigned char reserved[2];
	struct flow_state state;
};

/* What IPv6 addresses of the flow with the same number have besides. */
struct flow_rest {
	unsigned int source[3], destination[3];
	unsigned int new_source[3], new_destination[3];
	unsigned int reserved[4];
};

/* Where the kernel's side looks for a flow, two places a value: the numbers of their slots plus one; 0: nothing is there. */
struct flow_place_pair {
	unsigned int even, odd;
};

/* The places of a flow by the port that its packets come to. Few ports are in use at a time and close together, and of those the even
 * ones, which RTP has: they lie beside each other, in few pages and cache lines. `port` in host order. */
static inline __attribute__((always_inline)) unsigned int flow_place_of(const unsigned int address[4], unsigned int port,
									unsigned int attempt)
{
	const unsigned int mixed = (address[0] ^ address[1] ^ address[2] ^ address[3]) * 0x9e3779b1U;
	return ((mixed >> 15) + (port >> 1) + ((port & 1) << 15) + attempt * 0x5bd1U) & (FLOW_PLACES - 1);
}

static inline __attribute__((always_inline)) int flow_is_like(const struct flow *flow, const struct flow_key *key)
{
	return !((flow->ifindex ^ key->ifindex) | (flow->source ^ key->source[0]) | (flow->destination ^ key->destination[0]) |
		 (unsigned int)(flow->source_port ^ key->source_port) | (unsigned int)(flow->destination_port ^ key->destination_port) |
		 (unsigned int)(flow->family ^ key->family));
}

static inline __attribute__((always_inline)) int flow_rest_is_like(const struct flow_rest *rest, const struct flow_key *key)
{
	return !((rest->source[0] ^ key->source[1]) | (rest->source[1] ^ key->source[2]) | (rest->source[2] ^ key->source[3]) |
		 (rest->destination[0] ^ key->destination[1]) | (rest->destination[1] ^ key->destination[2]) |
		 (rest->destination[2] ^ key->destination[3]));
}

/* Why packets of a flow were left to the slow path. */
enum flow_passed {
	PASSED_EXPIRED,
	PASSED_LAST_HOP,   /* TTL or hop limit of 1 */
	PASSED_OTHER_KIND, /* STUN, DTLS, RTCP where RTP is expected … */
	PASSED_OTHER_SSRC,
	PASSED_NO_CHECKSUM, /* IPv4 without a checksum towards IPv6, which must have one */
	PASSED_TOO_LARGE,   /* for the next link, after translation */
	PASSED_NO_ROUTE,
	PASSED_NO_FORWARDING, /* conf.lo.forwarding is 0 */
	PASSED_FAILED,
	PASSED_REASONS
};

/* What the self-test's packet has become. */
struct flow_proof {
	unsigned int serial;
	unsigned int length; /* with the Ethernet header */
	int route;           /* what bpf_fib_lookup said */
	unsigned int mark, queue, has_timestamp;
	unsigned char bytes[128];
};
/* NOLINTEND(readability-identifier-naming) */
