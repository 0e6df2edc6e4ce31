/* The maps of flow_table.bpf.c as the kernel's side and the process see them. Addresses, ports and SSRCs are in network order; an
 * IPv4 address is the first of four words, the others are zero. What lies in a bpffs has this shape: FLOW_VERSION names it. */
#pragma once
/* NOLINTBEGIN(readability-identifier-naming): the kernel's way of naming */

#define FLOW_VERSION "v1"

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

/* What becomes of it. Written by the process, replaced as a whole. */
struct flow_rule {
	unsigned int source[4], destination[4];
	unsigned short source_port, destination_port;
	unsigned char family;
	unsigned char tos;
	unsigned char kind;
	unsigned char proof; /* not sent but shown in the map `proofs`: the self-test */
	unsigned int ssrc;
	unsigned int clock_rate; /* Hz; 0: unknown, and no jitter */
	unsigned int priority;   /* of queues, as the kernel takes it from the TOS */
	unsigned int slot;       /* its flow_state */
};

/* What it has seen: memory that both sides have mapped. Times are CLOCK_MONOTONIC, in ns. */
struct flow_state {
	unsigned long long expires; /* the process writes it, the rest the kernel's side */
	unsigned long long packets;
	unsigned long long bytes; /* of UDP payload */
	unsigned long long last;
	unsigned int sequence; /* the highest, extended by its cycles */
	unsigned int timestamp;
	unsigned long long rtp_last; /* when `timestamp` came */
	unsigned int rtp_packets;
	unsigned int jitter; /* ns */
	unsigned int start_sequence; /* `sequence` when the flow was added */
	unsigned int reserved;
};

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
