/* What a BPF program hands to a helper on its stack is written eight bytes at once: before Linux 6.8 a program without CAP_PERFMON may
 * not write over a part of eight bytes there. */
#pragma once

#include <linux/types.h>

/* Two words as they lie one after the other in memory. With 0 the first one is the index of an array, or the end of a key. */
static inline __attribute__((always_inline)) __u64 two_words(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u64)second << 32 | first;
#else
	return (__u64)first << 32 | second;
#endif
}

static inline __attribute__((always_inline)) __u32 two_halves(__u16 first, __u16 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u32)second << 16 | first;
#else
	return (__u32)first << 16 | second;
#endif
}
