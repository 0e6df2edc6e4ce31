#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Nothing goes one way, and nothing says why.
namespace natkit::diagnose {
namespace {

constexpr std::uint64_t few_packets = 10;

}  // namespace

bool no_packet(const Case&, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings) {
    const auto& [from, told, sent, arrived, sources, relayed] = direction.traffic;
    const MediaDescription* own = direction.sender.written;
    const bool meant = (own != nullptr && !sdp::sends(own->direction)) || direction.receiver.written->hold;
    if (sent > 0 || opposite.traffic.sent < few_packets || meant || !told) return false;
    findings.add({.cause = Cause::nothing_sent,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.to) + " hears nothing: no packet from " + name(from) + " to " +
                              to_string(*told) + " is in the capture, while " + packets(opposite.traffic.sent) +
                              " go the other way.",
                  .change = "Either " + name(from) +
                            " sends nothing (muted, wrong codec, waiting for media), or a firewall on its side drops "
                            "UDP to " +
                            to_string(told->address) + ": capture there."});
    return true;
}

}  // namespace natkit::diagnose
