#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"

namespace natkit::bpf {

/// A packet's flow: the interface it comes in by, its source, and its destination (a port of ours).
struct FlowKey {
    unsigned interface = 0;
    Endpoint source;
    Endpoint destination;

    friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

/// What packets of a flow carry. Others are left to the slow path.
enum class FlowKind : std::uint8_t { rtp = 1, rtcp = 2, rtp_and_rtcp = 3 };

/// What a packet of a flow becomes, and which packets.
struct FlowRule {
    Endpoint source;       ///< a port of ours, on the other side
    Endpoint destination;  ///< of the same family: the other party
    std::uint8_t tos = 0;  ///< of what is sent, whatever arrived
    FlowKind kind{};
    std::uint32_t ssrc = 0;        ///< host order; other SSRCs are for the slow path
    std::uint32_t clock_rate = 0;  ///< Hz, for jitter; 0: unknown

    friend bool operator==(const FlowRule&, const FlowRule&) = default;
};

/// What a flow has seen since it was added. Times are some milliseconds coarse.
struct FlowCount {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< UDP payload
    Instant last{};           ///< of the last packet; the epoch when there was none
    std::uint64_t rtp_packets = 0;
    std::uint32_t sequence = 0;        ///< the highest of RTP, extended by its cycles (RFC 3550 section 6.4.1)
    std::uint32_t start_sequence = 0;  ///< that before its first packet; jumps of the sequence move it on
    std::uint32_t timestamp = 0;       ///< of the last RTP packet
    Instant rtp_last{};
    Duration jitter{};  ///< RFC 3550 appendix A.8, sampled: of two packets in each eight; zero without a clock rate
};

/// What a flow counts on from.
struct FlowStart {
    std::uint32_t sequence = 0;  ///< the highest so far, extended
    std::uint32_t timestamp = 0;
    Instant rtp_last{};
    Duration jitter{};
};

/// An interface as the kernel knows it (io::interfaces() lists them).
struct FlowInterface {
    unsigned index = 0;
    std::array<std::uint8_t, 6> hardware_address{};
};

/// The flow table of this host: packets of its flows are rewritten and sent on by the kernel, in a filter on the
/// ingress of interfaces (tc clsact). It outlives the process: the filters stay, and the maps are pinned in a folder of
/// a bpffs. Flows lapse unless they are renewed, so that nothing is forwarded for ever.
///
/// The kernel side chooses route and neighbour for each packet, as for the host's own packets, and leaves to the slow
/// path what it should not decide: see FlowTable::Passed. add(), remove(), read() and renew() from any
/// thread, the rest from one.
class FlowTable {
  public:
    struct Settings {
        std::string folder = "/sys/fs/bpf/natkit";  ///< of a bpffs; made where it may be
        unsigned capacity = 65536;                  ///< flows
        std::chrono::seconds lease{600};            ///< how long a flow lives unless it is renewed
    };
    using Slot = std::uint32_t;  ///< a flow's place, as long as it is in the table
    struct Kept {
        FlowKey key;
        FlowRule rule;
        Slot slot = 0;
    };
    /// Packets of flows that were left to the slow path, of all flows, since the table was made.
    struct Passed {
        std::uint64_t expired = 0;
        std::uint64_t last_hop = 0;    ///< TTL or hop limit of 1
        std::uint64_t other_kind = 0;  ///< STUN, DTLS, RTCP where RTP is expected
        std::uint64_t other_ssrc = 0;
        std::uint64_t no_checksum = 0;  ///< IPv4 without a checksum towards IPv6
        std::uint64_t too_large = 0;    ///< for the next link, after translation
        std::uint64_t no_route = 0;
        std::uint64_t no_forwarding = 0;  ///< conf.lo.forwarding is 0
        std::uint64_t failed = 0;         ///< lost: could not be rewritten (no memory)
    };

    FlowTable() = default;
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;
    virtual ~FlowTable() = default;

    /// Opens the table that lies in the folder, or makes it. Fails where there is no bpffs, where BPF is not allowed or
    /// not built in, and where another process has it open; the message says which.
    [[nodiscard]] static Result<std::unique_ptr<FlowTable>> open(const Settings& settings);

    /// Errc::exhausted when the table is full; the slot of a flow that has gone is used again after a second. A flow
    /// that is there already gets the new rule, and counts anew.
    [[nodiscard]] virtual Result<Slot> add(const FlowKey& key, const FlowRule& rule, const FlowStart& start) = 0;
    /// From now on its packets come to the slow path. Its last count. About 1 µs.
    virtual FlowCount remove(const FlowKey& key) = 0;
    /// From memory shared with the kernel: no system call. Any thread.
    [[nodiscard]] virtual FlowCount read(Slot slot) const noexcept = 0;
    virtual void renew(Slot slot, Instant now) noexcept = 0;
    /// The flows in the table: after open(), those that an earlier process left.
    [[nodiscard]] virtual std::vector<Kept> flows() const = 0;
    [[nodiscard]] virtual Passed passed() const = 0;

    /// Puts the filter before the interface's ingress, where it is not there yet: the rest of what is attached stays.
    /// One that an earlier process left is replaced without a gap. Interfaces without Ethernet headers cannot have it.
    [[nodiscard]] virtual Result<void> attach(unsigned interface) = 0;
    /// Takes it away again, and nothing else with it.
    [[nodiscard]] virtual Result<void> detach(unsigned interface) = 0;
    /// Nothing outlives the process any more.
    [[nodiscard]] virtual Result<void> unpin() = 0;
    /// Sends a packet of each family through the interface's filter, to become one of `family`, and looks at what has
    /// become of it byte for byte. Takes some milliseconds. The error says what is wrong, conf.lo.forwarding that is 0
    /// among others.
    [[nodiscard]] virtual Result<void> self_test(const FlowInterface& interface, Family family) = 0;
};

/// Sets conf.lo.forwarding of the family, without which the kernel does not tell a filter its routes; the host forwards
/// nothing by it (ip_forward stays as it is). Needs CAP_NET_ADMIN and a /proc/sys that can be written.
[[nodiscard]] Result<void> let_filters_route(Family family);

/// Takes our filters from these interfaces, known by place and name, and then the pins: nothing is forwarded any more.
/// Needs root. The number of filters that were there.
[[nodiscard]] Result<unsigned> remove_flow_table(const std::string& folder, const std::vector<unsigned>& interfaces);

}  // namespace natkit::bpf
