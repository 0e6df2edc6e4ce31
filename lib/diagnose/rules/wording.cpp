#include "wording.hpp"

#include <cmath>
#include <utility>

namespace natkit::diagnose {

std::string name(End party) {
    return party == End::caller ? "the caller" : "the callee";
}

std::string name_at_start(End party) {
    return party == End::caller ? "The caller" : "The callee";
}

std::string seconds(std::int64_t ns) {
    return std::to_string((ns + second_ns / 2) / second_ns) + " s";
}

std::string tenths(double seconds) {
    const long long all = std::llround(std::fabs(seconds) * 10);
    return (seconds < 0 && all != 0 ? "-" : "") + std::to_string(all / 10) + "." + std::to_string(all % 10) + " s";
}

std::string packets(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

std::string times(unsigned count) {
    return count == 1 ? "once" : std::to_string(count) + " times";
}

std::string kind_of(const IpAddress& address) {
    static const IpRange carrier = *IpRange::parse("100.64.0.0/10"), translator = *IpRange::parse("192.0.0.0/29");
    if (carrier.contains(address)) return "a carrier's address (RFC 6598)";
    if (translator.contains(address)) return "a 464XLAT address (RFC 7335)";
    return "a private address";
}

std::string since(const Case& one, const Dead& dead) {
    const bool from_start = dead.phase == 0 && !dead.before;
    if (from_start) return {};
    const Phase& phase = one.phases()[dead.phase];
    std::string text = " from " + tenths(one.at(dead.from_ns)) + " on";
    if (dead.from_ns == phase.from_ns && phase.moved)
        return text + ", since packets of " + name(*phase.moved) + " come from another port (frame " +
               std::to_string(phase.moved_frame) + ")";
    if (dead.from_ns == phase.from_ns) return text + ", after the answer in frame " + std::to_string(phase.frame);
    if (dead.last_frame != 0) text += " (the last packet is frame " + std::to_string(dead.last_frame) + ")";
    return text;
}

Finding during(const Case& one, const Dead& dead, Finding finding) {
    finding.from_s = one.at(dead.from_ns);
    finding.to_s = one.at(dead.to_ns);
    const auto add = [&](std::uint64_t frame) {
        if (frame != 0 && finding.frames.size() < 8) finding.frames.push_back(frame);
    };
    add(one.phases()[dead.phase].frame);
    add(dead.last_frame);
    for (const Astray& astray : dead.astray) add(astray.path->stream->first_frame);
    return finding;
}

}  // namespace natkit::diagnose
