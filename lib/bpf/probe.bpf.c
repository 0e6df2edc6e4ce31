// Does nothing: that it can be loaded and run is what is asked.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

SEC("tc")
int probe(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_UNSPEC;
}

char natkit_license[] SEC("license") = "GPL";
