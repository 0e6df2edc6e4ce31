#include <algorithm>

#include "natkit/diagnose/paths.hpp"

/// Where a stream goes, and whether it can arrive there.
namespace natkit::diagnose {
namespace {

constexpr unsigned few_errors = 3;
constexpr std::uint64_t few_late = 4;                   ///< a source with less than one in so many packets is late
constexpr std::int64_t settle_ns = second_ns * 3 / 10;  ///< until the packets of before an answer have passed

bool same_family(const Endpoint& a, const Endpoint& b) {
    return a.address.family() == b.address.family();
}

}  // namespace

/// Errors at the beginning are those of a socket that was not open yet: they count where they go on to the end.
const IcmpError* Paths::refused(const RtpStream& stream) const {
    const std::int64_t end_ns = phases_.empty() ? stream.last_ns : std::min(stream.last_ns, phases_.back().to_ns);
    const IcmpError* most = nullptr;
    unsigned count = 0;
    std::int64_t first_ns = 0, last_ns = 0;
    for (const IcmpError& error : facts_.icmp) {
        if (error.destination != stream.destination || error.source.port != stream.source.port || error.tcp) continue;
        // With the BYE sockets are closed.
        if (!phases_.empty() && error.first_ns > phases_.back().to_ns - settle_ns) continue;
        if (most == nullptr) first_ns = error.first_ns;
        if (most == nullptr || error.count > most->count) most = &error;
        count += error.count;
        last_ns = std::max(last_ns, error.last_ns);
    }
    if (count < few_errors) return nullptr;
    // Hosts limit how many they send: about one a second (RFC 1812 section 4.3.2.8).
    const std::int64_t usual = std::max(3 * second_ns / 2, 2 * (last_ns - first_ns) / count);
    return last_ns + usual >= end_ns ? most : nullptr;
}

/// Whether the party sends from there now: not from an endpoint that it gave up by a later description.
bool Paths::current_source(const Endpoint& at, End party, const Phase& phase, std::size_t line) const {
    const MediaDescription* wanted = phase.written_by(party, line);
    const bool given_up = named(at, true) != nullptr && (wanted == nullptr || wanted->rtp != at);
    if (given_up && !phase.second_answer) return false;  // of two answers to one offer either may be meant
    const RtpStream* last = nullptr;
    bool there = false, older = false;
    std::uint64_t here = 0, newer = 0;  // packets in this phase: of this source, and of those that began in it
    for (const RtpStream* stream : sent_by(party)) {
        if (stream->first_ns > phase.to_ns) continue;
        const bool now = stream->last_ns >= phase.from_ns;
        there = there || (now && stream->source == at);
        const std::uint64_t packets = stream->packets_in(phase.from_ns + settle_ns, phase.to_ns);
        const bool began_now = stream->first_ns + settle_ns >= phase.from_ns;
        if (stream->source == at) {
            here += packets;
            older = older || !began_now;
        } else if (began_now) {
            newer = std::max(newer, packets);
        }
        if (last == nullptr || stream->last_ns >= last->last_ns) last = stream;
    }
    if (older && few_late * here < newer) return false;
    return there || (last != nullptr && last->source == at);
}

bool Paths::signals_from(End party, const IpAddress& address) const {
    const auto& source = party == End::caller ? facts_.call.caller_source : facts_.call.callee_source;
    if (source && source->address == address) return true;
    return std::ranges::any_of(facts_.call.requests, [&](const Request& request) {
        if (request.sender == party) return request.contact && request.contact->address == address;
        return std::ranges::any_of(request.responses, [&](const Response& response) {
            return response.contact && response.contact->address == address;
        });
    });
}

/// To the outer address of a NAT that both parties are behind, as both name it, and nothing comes in to where it is
/// sent from.
bool Paths::turned_back(const RtpStream& stream, const Path& path) const {
    const IpAddress& at = stream.destination.address;
    if (path.forwarded || !is_private(stream.source.address) || is_private(at)) return false;
    const bool same = std::ranges::any_of(names_, [&](const Named& name) {
        return name.own && name.party == path.from && name.line == path.line && name.at.address == at;
    });
    return same && std::ranges::none_of(facts_.rtp, [&](const RtpStream& one) {
               return one.rtp >= 5 && one.destination.address == stream.source.address;
           });
}

/// Of a stream to the very endpoint that its receiver named.
Reach Paths::announced(const RtpStream& stream, End to, const MediaDescription& wanted, const Path& path) const {
    const Endpoint& at = *wanted.rtp;
    if (is_private(at.address)) {
        // From another private network it cannot be reached either, where its party signals from outside.
        const auto& signals = to == End::caller ? facts_.call.caller_source : facts_.call.callee_source;
        const bool elsewhere = !is_private(stream.source.address) || (signals && !is_private(signals->address));
        return elsewhere && !seen(at.address) ? Reach::private_address : Reach::arrives;
    }
    if (turned_back(stream, path)) return Reach::hairpin;
    if (outside_of_nat(at.address) && !path.inner) return Reach::on_the_way;
    bool from_there = false, same_host = false, any = false;
    for (const RtpStream* own : sent_by(to)) {
        if (!same_family(own->source, at) || own->rtp < 5) continue;
        any = true;
        from_there = from_there || own->source == at;
        same_host = same_host || own->source.address == at.address;
    }
    if (!any || from_there) return Reach::arrives;
    if (same_host) return behind_nat(to) ? Reach::other_mapping : Reach::arrives;
    const bool elsewhere = std::ranges::any_of(
        sent_by(to), [&](const RtpStream* own) { return own->rtp >= 5 && signals_from(to, own->source.address); });
    return elsewhere && !signals_from(to, at.address) ? Reach::other_interface : Reach::arrives;
}

Reach Paths::reach(const Path& path, const Phase& phase) const {
    const RtpStream& stream = *path.stream;
    const Endpoint& at = stream.destination;
    const End to = other(path.from);
    const MediaDescription* wanted = phase.written_by(to, path.line);
    const MediaDescription* told = phase.delivered_of(to, path.line);
    const bool learned = current_source(at, to, phase, path.line);
    const bool is_wanted = wanted != nullptr && wanted->rtp == at;
    const bool both_sides = outside_of_nat(at.address) && !path.inner;
    const bool error = refused(stream) != nullptr;
    if (is_wanted && !learned) {
        const Reach reach = announced(stream, to, *wanted, path);
        return error && (reach == Reach::arrives || reach == Reach::on_the_way) ? Reach::refused : reach;
    }
    if (error && path.forwarded && same_box(stream.source.address, at.address)) return Reach::to_itself;
    if (error) return Reach::refused;
    if (is_wanted || learned) return both_sides ? Reach::on_the_way : Reach::arrives;
    if (told != nullptr && told->rtp == at) return path.forwarded ? Reach::to_itself : Reach::on_the_way;
    if (path.inner) return named(at, true) == nullptr ? Reach::arrives : Reach::older_endpoint;
    if (stream.source == at) return Reach::to_itself;
    for (const RtpStream* own : sent_by(path.from)) {
        if (path.forwarded && own->source == at) return Reach::back_to_sender;
    }
    if (wanted != nullptr && wanted->rtp && wanted->rtp->address == at.address && wanted->rtp->port + 1 == at.port)
        return Reach::rtcp_port;
    if (told != nullptr && told->rtp && told->rtp->address == at.address && told->rtp->port + 1 == at.port)
        return Reach::rtcp_port;
    if (const Named* old = named(at, true); old != nullptr && old->party == to) return Reach::older_endpoint;
    if (const Named* old = named(at, false); old != nullptr && old->party == to) return Reach::older_endpoint;
    if (same_box(stream.source.address, at.address)) return Reach::to_itself;
    for (const MediaDescription* media : {wanted, told}) {
        if (media != nullptr && media->origin == at.address && media->rtp && media->rtp->address != at.address)
            return Reach::origin_address;
    }
    if (is_private(at.address) && !is_private(stream.source.address) && !seen(at.address))
        return Reach::private_address;
    if (both_sides || same_box(at.address, at.address)) return Reach::on_the_way;
    const bool left = std::ranges::any_of(sent_by(to), [&](const RtpStream* own) { return own->source == at; });
    return left ? Reach::older_endpoint : Reach::elsewhere;
}

}  // namespace natkit::diagnose
