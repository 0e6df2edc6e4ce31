#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "natkit/engine/explain/doctor.hpp"

/// The doctor at work on one call: doctor.cpp asks the messages, doctor_media.cpp the packets of each stream.
namespace natkit::explain {

constexpr std::int64_t second_ns = 1'000'000'000;

[[nodiscard]] std::string name(Side side);  ///< "the caller"
[[nodiscard]] std::string capital(std::string text);
[[nodiscard]] std::string seconds(std::int64_t ns);
[[nodiscard]] std::string packets(std::uint64_t count);

/// Of the same stream seen on both sides of a NAT at the same time, one counts.
[[nodiscard]] std::uint64_t rtp_of(const std::vector<const MediaFlow*>& flows);

/// One direction of one stream, with all that is known about it.
struct Path {
    Way way;
    Side to{};
    const StreamSeen* told = nullptr;   ///< the receiver's stream as the sender got it
    const StreamSeen* own = nullptr;    ///< as the receiver wrote it
    const StreamSeen* mine = nullptr;   ///< the sender's stream as it wrote it
    const StreamSeen* shown = nullptr;  ///< the sender's stream as the receiver got it
    std::vector<const MediaFlow*> in;   ///< to where the sender was told
    std::vector<const MediaFlow*> out;  ///< from the relay to the receiver; without a relay the same as `in`
};

class Doctor {
  public:
    Doctor(const Call& call, const FlowTable& flows, const Rules& rules)
        : call_(call),
          flows_(flows),
          rules_(rules),
          first_(call.first_ns - second_ns),
          last_(call.last_ns + (call.ended ? 2 * second_ns : 3600 * second_ns)) {}

    Explanation run();

  private:
    [[nodiscard]] Path path(std::size_t stream, Side from) const;
    [[nodiscard]] const StreamSeen* stream(const DescriptionSeen* description, std::size_t i) const {
        return description != nullptr && i < description->streams.size() ? &description->streams[i] : nullptr;
    }
    [[nodiscard]] std::optional<IpAddress> visible(Side side) const {
        const auto& source = side == Side::caller ? call_.caller_source : call_.callee_source;
        return source ? std::optional(source->address) : std::nullopt;
    }
    [[nodiscard]] bool is_private(const IpAddress& address) const {
        return rules_.networks.nated.contains(address) || rules_.networks.lan.contains(address);
    }
    [[nodiscard]] bool found(Cause cause) const {
        return std::ranges::any_of(result_.findings, [&](const Finding& finding) { return finding.cause == cause; });
    }
    void add(Cause cause, std::optional<Side> silent, std::string sentence, std::string change) {
        for (const Finding& known : result_.findings) {
            if (known.cause == cause && known.silent == silent) return;  // the same for another stream
        }
        result_.findings.push_back(
            {.cause = cause, .silent = silent, .sentence = std::move(sentence), .change = std::move(change)});
    }

    void look_at_messages();
    void look_at_stream(const Path& there, const Path& back);
    void look_for_loop(const Path& path);
    void look_for_ice(const Path& path, const Path& back);
    void look_for_hold();
    void never_talked();
    [[nodiscard]] bool told_private(const Path& path);
    [[nodiscard]] bool told_wrong_family(const Path& path);
    [[nodiscard]] bool rebound(const Path& path);
    [[nodiscard]] bool comes_from_elsewhere(const Path& path);
    [[nodiscard]] bool relay_keeps_it(const Path& path, const Path& back);
    [[nodiscard]] bool lost_on_the_way(const Path& path);
    void silent_way(const Path& path, const Path& back);

    const Call& call_;
    const FlowTable& flows_;
    const Rules& rules_;
    std::int64_t first_;
    std::int64_t last_;
    Explanation result_;
};

}  // namespace natkit::explain
