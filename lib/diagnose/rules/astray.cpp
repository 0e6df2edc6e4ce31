#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Media that goes where it does not arrive.
namespace natkit::diagnose {
namespace {

/// The description that named this endpoint, or null.
const SessionDescription* who_named(const Case& one, const Endpoint& at) {
    for (const SessionDescription& description : one.call().descriptions) {
        for (const MediaDescription& media : description.streams) {
            if (media.rtp == at) return &description;
        }
    }
    return nullptr;
}

std::string sender_of(const MediaDirection& direction, const Astray& astray) {
    const std::string source = to_string(astray.path->stream->source);
    return astray.path->forwarded ? "the relay at " + source : name(direction.from) + " (from " + source + ")";
}

std::string announced(const MediaDirection& direction) {
    const MediaDescription* wanted =
        direction.receiver_written != nullptr ? direction.receiver_written : direction.receiver_delivered;
    return wanted != nullptr && wanted->rtp ? to_string(*wanted->rtp) : "elsewhere";
}

/// Packets from the old place that came when the new one was in use.
bool late_packets(const Case& one, const MediaDirection& direction, const Astray& astray) {
    const Phase& phase = one.phases()[direction.dead->phase];
    return std::ranges::any_of(one.paths().sent_by(direction.to), [&](const RtpStream* stream) {
        return stream->source == astray.path->stream->destination && stream->last_ns > phase.from_ns + second_ns / 5;
    });
}

/// Of two answers to one offer in one dialog the second one, where this is the first; else null.
const SessionDescription* replaced_unasked(const Case& one, const SessionDescription& first) {
    const bool provisional = !first.request && first.status < 200 && first.method == "INVITE";
    for (const Phase& phase : one.phases()) {
        const SessionDescription* second = phase.written[static_cast<std::size_t>(first.writer)];
        const bool same_offer = second != nullptr && second->cseq == first.cseq && second->tag == first.tag;
        if (provisional && phase.second_answer && same_offer) return second;
    }
    return nullptr;
}

/// The request that offered it and was refused: all stays as it was before (RFC 3261 section 14.1). Or null.
const Request* refused_offer(const Case& one, const Endpoint& at) {
    const SessionDescription* offer = who_named(one, at);
    if (offer == nullptr || !offer->request) return nullptr;
    const auto& requests = one.call().requests;
    const auto found = std::ranges::find_if(requests, [&](const Request& request) {
        const bool same = request.method == offer->method && request.cseq == offer->cseq;
        return same && request.in_dialog && request.sender == offer->writer && request.status >= 300;
    });
    return found == requests.end() ? nullptr : &*found;
}

std::string stale_place(const Case& one, const MediaDirection& direction, const Astray& astray) {
    const Endpoint& at = astray.path->stream->destination;
    if (astray.reach == Reach::origin_address) return "the address of o=, which says nothing about media";
    const SessionDescription* old = who_named(one, at);
    const std::string late =
        late_packets(one, direction, astray) ? "; late packets from there made the sender go back to it" : "";
    if (old == nullptr && astray.reach == Reach::older_endpoint)
        return "where the packets of " + name(direction.to) + " came from before" + late;
    if (old == nullptr) return "which no description names";
    std::string text = "which the description in frame " + std::to_string(old->frame) + " named";
    const bool branch = !old->tag.empty() && !one.call().callee_tag.empty() && old->tag != one.call().callee_tag;
    if (branch) return text + ", of another branch of the fork";
    if (const SessionDescription* second = replaced_unasked(one, *old))
        return text +
               ": the first answer of this dialog, which counts (RFC 3261 section 13.2.1), though the one in frame " +
               std::to_string(second->frame) + " differs";
    return text + late;
}

const char* against_stale(const Case& one, const MediaDirection& direction, const Astray& astray) {
    if (astray.reach == Reach::origin_address)
        return "The sender must take the address of c=, and not that of o= (RFC 8866 sections 5.2 and 5.7): look at "
               "its "
               "firmware, or let the proxy write the same address into both (natkit does; rtpengine: replace-origin).";
    const SessionDescription* old = who_named(one, astray.path->stream->destination);
    if (old != nullptr && replaced_unasked(one, *old) != nullptr)
        return "The side that answers must say the same in all responses to one INVITE, and offer anew (UPDATE, "
               "re-INVITE) "
               "to change it; a media proxy in between hides such changes.";
    // Who latches is a relay, also where it is not seen to be one.
    return astray.path->forwarded || late_packets(one, direction, astray)
               ? "A relay must follow the newest description and may not go back to an old source (mediarelay: a "
                 "source on probation; rtpengine: strict-source)."
               : "The sender must follow the newest answer (RFC 3264 section 8): look at its firmware, or put a media "
                 "proxy in between, which hides such changes.";
}

Finding stale(const Case& one, const MediaDirection& direction, const Astray& astray) {
    return {.cause = Cause::stale_endpoint,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) + ": " +
                        sender_of(direction, astray) + " sends " + packets(astray.packets) + " to " +
                        to_string(astray.path->stream->destination) + ", " + stale_place(one, direction, astray) +
                        "; announced is " + announced(direction) + ".",
            .change = against_stale(one, direction, astray),
            .confidence = astray.reach == Reach::elsewhere ? Confidence::possible : Confidence::seen};
}

Finding private_place(const Case& one, const MediaDirection& direction, const Astray& astray) {
    const Endpoint& at = astray.path->stream->destination;
    if (!astray.path->forwarded)
        return {.cause = Cause::private_address,
                .hears_nothing = direction.to,
                .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) + ": " +
                            packets(astray.packets) + " go from " + to_string(astray.path->stream->source) + " to " +
                            to_string(at) + ", " + kind_of(at.address) + " that cannot be reached from there.",
                .change = "Put a media proxy in between (natkit: " + to_string(at.address) +
                          " must lie in [network] nated or lan)."};
    return {.cause = Cause::relay_to_private,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) +
                        ": the relay at " + to_string(astray.path->stream->source) + " sends " +
                        packets(astray.packets) + " on to " + to_string(at) + ", " + kind_of(at.address) +
                        " that it cannot reach.",
            .change = "The relay must learn where the packets of " + name(direction.to) +
                      " come from: tell it that this party is behind a NAT (natkit: [network] nated; rtpengine: no "
                      "trust-address, SIP-source-address; Asterisk: rtp_symmetric=yes)."};
}

Finding other_mapping(const Case& one, const MediaDirection& direction, const Astray& astray) {
    const Endpoint& said = astray.path->stream->destination;
    std::string from;
    for (const RtpStream* own : one.paths().sent_by(direction.to)) {
        if (own->rtp >= 5 && own->source.address == said.address) from = to_string(own->source);
    }
    return {.cause = Cause::other_source,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) +
                        ": it announces " + to_string(said) + " and sends from " + from +
                        ", another mapping of its NAT; " + packets(astray.packets) +
                        " went to the announced one, where the NAT lets nothing in.",
            .change =
                "Answer to where its packets come from: symmetric RTP (\"comedia\", nat=force_rport,comedia) "
                "at the other side, or a media proxy that latches ([media_proxy] source_port_restriction = "
                "false for parties on the WAN). STUN does not help behind such a NAT.",
            .confidence = Confidence::inferred};
}

Finding wrong_interface(const Case& one, const MediaDirection& direction, const Astray& astray) {
    const RtpStream& stream = *astray.path->stream;
    const IcmpError* error = one.paths().refused(stream);
    std::string from;
    for (const RtpStream* own : one.paths().sent_by(direction.to)) {
        if (own->rtp >= 5 && own->source.address != stream.destination.address) from = to_string(own->source);
    }
    return {.cause = Cause::wrong_interface,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) +
                        ": it announces " + to_string(stream.destination) + " and sends from " +
                        (from.empty() ? "elsewhere" : from) + "; " + packets(astray.packets) + " went there" +
                        (error != nullptr ? ", and ICMP from " + to_string(error->reporter) + " (frame " +
                                                std::to_string(error->frame) + ") says that it is not reachable."
                                          : " without any sign of arriving."),
            .change =
                "Let it announce the address of the interface that it uses (natkit: [media_proxy] addresses; "
                "Asterisk: external_media_address; FreeSWITCH: ext-rtp-ip; rtpengine: interface=).",
            .confidence = error != nullptr ? Confidence::seen : Confidence::inferred};
}

Finding wrong_port(const Case& one, const MediaDirection& direction, const Astray& astray) {
    return {.cause = Cause::wrong_port,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) + ": " +
                        packets(astray.packets) + " of RTP go to " + to_string(astray.path->stream->destination) +
                        ", its port for RTCP; announced is " + announced(direction) + ".",
            .change = "The sender has the port of m= wrong by one: look at its firmware or at a gateway on the way."};
}

Finding returned(const MediaDirection& direction, const Astray& astray) {
    const RtpStream& stream = *astray.path->stream;
    const bool echo = astray.reach == Reach::back_to_sender;
    return {.cause = echo ? Cause::echo : Cause::relay_to_itself,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing: the relay at " + to_string(stream.source) +
                        " sends " + packets(astray.packets) + " of " + name(direction.from) +
                        (echo ? " back to where they came from, " : " to an address of its own, ") +
                        to_string(stream.destination) + ".",
            .change =
                "The relay has taken one party for the other: look at who was told to it (`mediarelay list`), and "
                "whether the call passes it twice (looptrace)."};
}

/// Told by the router at which it ended.
Finding in_a_ring(const Case& one, const MediaDirection& direction, const Astray& astray, const IcmpError& error) {
    const Endpoint& at = astray.path->stream->destination;
    return {.cause = Cause::never_arrives,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) + ": " +
                        packets(astray.packets) + " go to " + to_string(at) + ", and ICMP from " +
                        to_string(error.reporter) + " says " + times(error.count) + " (first in frame " +
                        std::to_string(error.frame) +
                        ") that their time to live ended there: routers send them in a ring, or the way is too long.",
            .change = "Look at the routes to " + to_string(at.address) + " in the routers next to " +
                      to_string(error.reporter) + ": two of them point at each other."};
}

/// What came from that port has ended, too: then the other party is not heard either.
bool both_ended(const Case& one, const MediaDirection& opposite, const Astray& astray, const IcmpError& error) {
    constexpr std::int64_t noticed = second_ns * 8 / 10;
    const Phase& phase = one.phases().back();
    if (opposite.dead || !meant(phase, opposite.line, opposite.from) || one.end_ns() - error.first_ns < noticed)
        return false;
    bool from_there = false;
    for (const Path* path : opposite.paths) {
        const Reach reach = one.paths().reach(*path, phase);
        if (path->stream->rtp == 0 || (reach != Reach::arrives && reach != Reach::on_the_way)) continue;
        if (path->stream->last_ns >= error.first_ns + second_ns / 5) return false;
        from_there = from_there || path->stream->source == astray.path->stream->destination;
    }
    return from_there;
}

Deaf who_hears_nothing(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                       const Astray& astray, const IcmpError& error) {
    return both_ended(one, opposite, astray, error) ? Deaf::both() : Deaf(direction.to);
}

/// The port of a relay that is not there any more.
Finding relay_closed(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                     const Astray& astray, const IcmpError& error) {
    return {.cause = Cause::relay_not_joined,
            .hears_nothing = who_hears_nothing(one, direction, opposite, astray, error),
            .sentence = name_at_start(direction.from) + " sends to the relay at " +
                        to_string(astray.path->stream->destination) + " (" + packets(astray.packets) +
                        "), and ICMP from " + to_string(error.reporter) + " (first in frame " +
                        std::to_string(error.frame) +
                        ") says that nobody listens there: the leg is closed, or not "
                        "joined with the other one.",
            .change =
                "Look at the relay: who parted or ended its legs before the call was over? `mediarelay list` shows "
                "those that there are."};
}

/// The dialog's requests take another way than by who captured: not even an ACK is here, and as the answer was not
/// repeated it has arrived.
bool dialog_goes_around(const Call& call) {
    return call.answered && !call.requests.empty() && std::ranges::all_of(call.requests, [](const Request& request) {
               return !request.in_dialog && std::ranges::none_of(request.responses, [](const Response& response) {
                   return response.status >= 200 && response.status < 300 && response.copies > 2;
               });
           });
}

/// Its media ends, its port is closed, and the other party goes on: its BYE took the way that the ACK took, and was
/// lost.
Finding hung_up_unseen(const Case& one, const MediaDirection& direction, const Astray& astray, const IcmpError& error) {
    std::int64_t ended_ns = one.call().first_ns;
    for (const RtpStream* own : one.paths().sent_by(direction.to)) ended_ns = std::max(ended_ns, own->last_ns);
    return {
        .cause = Cause::request_lost,
        .sentence = name_at_start(direction.to) + " has hung up, and " + name(direction.from) +
                    " does not know: its media ends at " + tenths(one.at(ended_ns)) + ", ICMP from " +
                    to_string(error.reporter) + " (first in frame " + std::to_string(error.frame) +
                    ") says that its port is closed, and " + packets(astray.packets) +
                    " go there all the same. Its BYE did not come by here, as the ACK did not: no Record-Route keeps "
                    "the dialog on this way.",
        .change =
            "Record-Route at the proxy, with an address that each side can reach, so that requests within the "
            "call come back through it.",
        .confidence = Confidence::inferred,
        .from_s = one.at(ended_ns)};
}

std::string told_in_vain(const Request* refused) {
    if (refused == nullptr) return {};
    return " That endpoint was offered in frame " + std::to_string(refused->frame) + " and refused by " +
           std::to_string(refused->status) + ": all should stay as it was before.";
}

}  // namespace

bool goes_astray(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    if (!direction.dead || !direction.dead->sent) return false;
    const auto& all = direction.dead->astray;
    const auto found = std::ranges::find_if(all, [](const Astray& astray) {
        return astray.reach != Reach::on_the_way && astray.reach != Reach::refused && astray.packets >= 5;
    });
    if (found == all.end()) return false;
    const auto add = [&](Finding finding) { findings.add(during(one, *direction.dead, std::move(finding))); };
    switch (found->reach) {
        case Reach::private_address: add(private_place(one, direction, *found)); break;
        case Reach::other_mapping: add(other_mapping(one, direction, *found)); break;
        case Reach::other_interface: add(wrong_interface(one, direction, *found)); break;
        case Reach::rtcp_port: add(wrong_port(one, direction, *found)); break;
        case Reach::back_to_sender:
        case Reach::to_itself: add(returned(direction, *found)); break;
        default: add(stale(one, direction, *found)); break;
    }
    return true;
}

bool refused_by_icmp(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                     Findings& findings) {
    if (!direction.dead || !direction.dead->sent) return false;
    const auto& all = direction.dead->astray;
    const auto found = std::ranges::find_if(all, [](const Astray& astray) { return astray.reach == Reach::refused; });
    if (found == all.end()) return false;
    const RtpStream& stream = *found->path->stream;
    const IcmpError* error = one.paths().refused(stream);
    const bool firewall = error->kind == IcmpError::Kind::prohibited;
    const bool ring = error->kind == IcmpError::Kind::hops_exceeded;
    if (direction.traffic.relayed && direction.traffic.told == stream.destination && !firewall && !ring) {
        findings.add(during(one, *direction.dead, relay_closed(one, direction, opposite, *found, *error)));
        return true;
    }
    if (ring) {
        findings.add(during(one, *direction.dead, in_a_ring(one, direction, *found, *error)));
        return true;
    }
    const Deaf deaf = who_hears_nothing(one, direction, opposite, *found, *error);
    if (deaf == Deaf::both() && !firewall && direction.dead->before && dialog_goes_around(one.call())) {
        findings.add(hung_up_unseen(one, direction, *found, *error));
        return true;
    }
    const Request* refused = refused_offer(one, stream.destination);
    const bool host =
        error->kind == IcmpError::Kind::host_unreachable || error->kind == IcmpError::Kind::net_unreachable;
    findings.add(during(
        one, *direction.dead,
        {.cause = firewall ? Cause::refused_by_firewall : Cause::receiver_refuses,
         .hears_nothing = deaf,
         .sentence = (deaf == Deaf::both() ? std::string("Neither hears the other")
                                           : name_at_start(direction.to) + " hears nothing") +
                     since(one, *direction.dead) + ": " + packets(found->packets) + " go to " +
                     to_string(stream.destination) + ", and ICMP from " + to_string(error->reporter) + " says " +
                     times(error->count) + " (first in frame " + std::to_string(error->frame) + ") that " +
                     (firewall ? "a firewall prohibits it."
                      : host   ? "the host cannot be reached."
                               : "nobody listens there.") +
                     (deaf == Deaf::both() ? " What came from there has ended, too." : "") + told_in_vain(refused),
         .change =
             refused != nullptr
                 ? "Who sends there, a relay most often, must go back to the descriptions of before when an offer "
                   "is refused; or let the other side accept such an offer."
             : firewall ? "Let UDP to " + to_string(stream.destination) + " pass in the firewall at " +
                              to_string(error->reporter) + "."
                        : "Look why " + name(direction.to) +
                              " does not listen where it said: its socket is closed, or takes packets from another "
                              "source only."}));
    return true;
}

}  // namespace natkit::diagnose
