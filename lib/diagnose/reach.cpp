#include <algorithm>
#include <functional>
#include <utility>

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

bool is_about(const IcmpError& error, const RtpStream& stream) {
    const bool too_big = error.kind == IcmpError::Kind::other;  // or the like
    return !too_big && !error.tcp && error.source.port == stream.source.port && error.destination == stream.destination;
}

/// The number of an element; nothing: it is another one.
template <class T>
std::optional<std::size_t> place_in(std::span<const T> all, const T& one) {
    const bool inside =
        !all.empty() && std::greater_equal<>()(&one, &all.front()) && std::less_equal<>()(&one, &all.back());
    return inside ? std::optional(static_cast<std::size_t>(&one - all.data())) : std::nullopt;
}

}  // namespace

void Paths::find_refused() {
    refused_.reserve(facts_.rtp.size());
    for (const RtpStream& stream : facts_.rtp) refused_.push_back(refusal_of(stream));
}

const IcmpError* Paths::refused(const RtpStream& stream) const {
    const auto number = place_in(std::span(facts_.rtp), stream);
    return number ? refused_[*number] : refusal_of(stream);
}

/// Errors at the beginning are those of a socket that was not open yet: they count where they go on to the end.
const IcmpError* Paths::refusal_of(const RtpStream& stream) const {
    const std::int64_t end_ns = phases_.empty() ? stream.last_ns : std::min(stream.last_ns, phases_.back().to_ns);
    const IcmpError* most = nullptr;
    unsigned count = 0;
    std::int64_t first_ns = 0, last_ns = 0;
    for (const IcmpError& error : facts_.icmp) {
        if (!is_about(error, stream)) continue;
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

std::int64_t Paths::refused_since(const RtpStream& stream) const {
    std::int64_t first_ns = stream.last_ns;
    for (const IcmpError& error : facts_.icmp) {
        if (is_about(error, stream)) first_ns = std::min(first_ns, error.first_ns);
    }
    return first_ns;
}

Paths::Sources Paths::sources_of(End party, const Phase& phase) const {
    Sources sources;
    for (const RtpStream* stream : sent_by(party)) {
        if (stream->first_ns > phase.to_ns) continue;
        Sources::Source& source = sources.of[stream->source];
        source.there = source.there || stream->last_ns >= phase.from_ns;
        const std::uint64_t packets = stream->packets_in(phase.from_ns + settle_ns, phase.to_ns);
        source.packets += packets;
        const bool began_now = stream->first_ns + settle_ns >= phase.from_ns;
        if (began_now) source.newest = std::max(source.newest, packets);
        source.older = source.older || !began_now;
        if (sources.last == nullptr || stream->last_ns >= sources.last->last_ns) sources.last = stream;
    }
    auto& [first, second] = sources.began;
    for (const auto& [at, source] : sources.of) {
        if (source.newest > first.second) {
            second = std::exchange(first, {at, source.newest});
        } else if (source.newest > second.second) {
            second = {at, source.newest};
        }
    }
    return sources;
}

/// Whether the party sends from there now: not from an endpoint that it gave up by a later description, nor from one
/// that has few packets beside those of another that began in this phase.
bool Paths::current_source(const Endpoint& at, End party, const Phase& phase, std::size_t line,
                           const PhaseSources& sources) const {
    const MediaDescription* wanted = phase.written_by(party, line);
    const bool given_up = named(at, true) != nullptr && (wanted == nullptr || wanted->rtp != at);
    if (given_up && !phase.second_answer) return false;  // of two answers to one offer either may be meant
    const Sources& all = sources[static_cast<std::size_t>(party)];
    const auto found = all.of.find(at);
    if (found == all.of.end()) return false;
    const auto& began = all.began[0].first == at ? all.began[1] : all.began[0];
    if (found->second.older && few_late * found->second.packets < began.second) return false;
    return found->second.there || all.last->source == at;
}

bool Paths::signals_from(End party, const IpAddress& address) const {
    return signals_[static_cast<std::size_t>(party)].contains({.address = address, .port = 0});
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

void Paths::judge() {
    reaches_.clear();
    for (const Phase& phase : phases_) {
        const PhaseSources sources{sources_of(End::caller, phase), sources_of(End::callee, phase)};
        std::vector<Reach>& reaches = reaches_.emplace_back();
        reaches.reserve(paths_.size());
        for (const Path& path : paths_) reaches.push_back(reach(path, phase, sources));
    }
}

Reach Paths::reach(const Path& path, const Phase& phase) const {
    const auto in = place_in(std::span(phases_), phase);
    const auto number = place_in(std::span(paths_), path);
    if (in && number && *in < reaches_.size()) return reaches_[*in][*number];
    return reach(path, phase, {sources_of(End::caller, phase), sources_of(End::callee, phase)});
}

Reach Paths::reach(const Path& path, const Phase& phase, const PhaseSources& sources) const {
    const RtpStream& stream = *path.stream;
    const Endpoint& at = stream.destination;
    const End to = other(path.from);
    const MediaDescription* wanted = phase.written_by(to, path.line);
    const MediaDescription* told = phase.delivered_of(to, path.line);
    const bool learned = current_source(at, to, phase, path.line, sources);
    const bool is_wanted = wanted != nullptr && wanted->rtp == at;
    const bool both_sides = outside_of_nat(at.address) && !path.inner;
    const bool error = refused(stream) != nullptr;
    if (!error && answers_checks(at)) return both_sides ? Reach::on_the_way : Reach::arrives;
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
