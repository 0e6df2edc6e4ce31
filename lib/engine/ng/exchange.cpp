// Offers and answers (RFC 3264) as a proxy hands them over, one after the other.
#include <algorithm>

#include "calls.hpp"
#include "natkit/base/text.hpp"
#include "natkit/sdp/payload_types.hpp"

namespace natkit::ng {
namespace {

/// What of a profile says how media is encrypted: relaying converts nothing.
std::pair<bool, bool> encryption(std::string_view protocol) {
    return {protocol.find("SAVP") != std::string_view::npos, protocol.find("TLS") != std::string_view::npos};
}

constexpr std::size_t longest_kind = 32;  ///< letters of a word like "audio"

Dictionary with_description(std::string sdp) {
    return {{"sdp", std::move(sdp)}, {"result", "ok"}};
}

Error as_reason(Error error) {
    if (error.code == Errc::exhausted) return {error.code, {}, "Ran out of ports"};
    return error;
}

Result<sdp::Document> read_description(const Request& request) {
    auto sdp = sdp::Document::parse(request.sdp);
    if (!sdp) return fail(Errc::bad_input, "Failed to parse SDP");
    if (sdp->media().size() > most_streams) return fail(Errc::bad_input, "more than 64 m= lines");
    return sdp;
}

}  // namespace

bool Calls::refuses_new() const {
    return draining_ || overloaded_ || (settings_.most_calls != 0 && calls_.size() >= settings_.most_calls);
}

/// In the words on which the proxy tries another node.
Result<Dictionary> Calls::load_limit(const Request& request) const {
    if (!request.load_limit) return fail(Errc::exhausted, "Parallel session limit reached");
    const char* why = draining_     ? "this relay drains: it takes no new calls"
                      : overloaded_ ? "this relay has more to do than it can"
                                    : "as many calls as it takes";
    return Dictionary{{"result", "load limit"}, {"message", why}};
}

/// It is there, so that a proxy finds it at once when it serves, and takes nothing.
Dictionary Calls::refused_by_standby(const Request& request) {
    if (request.command == Command::ping) return {{"result", "pong"}};
    if (request.command == Command::offer && request.load_limit)
        return {{"result", "load limit"}, {"message", "this node is the standby"}};
    return {{"result", "error"}, {"error-reason", "Parallel session limit reached"}};
}

/// A new branch, of a new call where need be.
Calls::Speaker Calls::begin(const Request& request) {
    Call& call = calls_[request.call_id];
    if (call.branches.empty()) {
        call.call_id = request.call_id;
        call.created = now_ms() / 1000;
        ++total_calls_;
    }
    Branch& branch = *call.branches.emplace_back(std::make_unique<Branch>());
    branch.names.offerer = request.from_tag;
    branch.names.via_branch = request.via_branch;
    if (!request.to_tag.empty()) branch.names.answerers.push_back(request.to_tag);
    return {.call = &call, .branch = &branch, .end = End::caller};
}

/// Of several passes of one call the one that the description belongs to: whose neighbour at that end named a leg of
/// ours before, where it does so now, and did not, where it does not.
std::optional<Calls::Speaker> Calls::choose(const std::vector<Spoken>& candidates, Call& call,
                                            const sdp::Document& sdp) const {
    std::optional<Endpoint> said;
    for (const sdp::Media& media : sdp.media()) {
        if (!said && !media.rejected()) said = sdp.rtp_endpoint(media);
    }
    const LegPlace* ours = own_leg(said);
    const auto fits = [&](const Spoken& each) {
        const Branch& branch = *call.branches[each.branch];
        if (ours != nullptr && ours->branch == &branch) return candidates.size() == 1;
        return std::ranges::none_of(branch.pairs, [&](const auto& pair) {
            const bool known = pair.second.parties[index(each.end)].has_value();
            const bool named = pair.second.named[index(each.end)].has_value();
            return (known || named) && named != (ours != nullptr);
        });
    };
    const auto found = std::ranges::find_if(candidates, fits);
    if (candidates.empty()) return std::nullopt;
    const Spoken& chosen = found == candidates.end() ? candidates.front() : *found;
    return Speaker{.call = &call, .branch = call.branches[chosen.branch].get(), .end = chosen.end};
}

Calls::Reply Calls::offer(const Request& request) {
    const auto sdp = read_description(request);
    if (!sdp) return std::unexpected(sdp.error());
    Call* call = find(request.call_id);
    if (call == nullptr && refuses_new()) return load_limit(request);
    std::optional<Speaker> speaker;
    if (call != nullptr) speaker = choose(find_offers(names_of(*call), request), *call, *sdp);
    if (!speaker && call != nullptr && call->branches.size() >= most_branches)
        return fail(Errc::exhausted, "more than 64 branches of one call");
    const bool fresh = !speaker;
    for (const sdp::Media& media : sdp->media()) {
        const LegPlace* ours = media.rejected() ? nullptr : own_leg(sdp->rtp_endpoint(media));
        if (ours == nullptr) continue;
        // It has been through this branch already, or loops on purpose.
        if (request.wishes.loop_protect || (speaker && ours->branch == speaker->branch)) {
            return with_description(request.sdp);
        }
    }
    if (fresh) speaker = begin(request);
    Branch& branch = *speaker->branch;
    auto taken = take_offer(*speaker, request, *sdp);
    auto shown = taken ? rewritten(*speaker, request, *sdp, true) : Result<std::string>(std::unexpected(taken.error()));
    const std::string call_id = request.call_id;
    if (!shown) {
        carry_out(branch, branch.call.refuse());
        if (fresh) drop(*speaker->call, branch, nullptr);
        end_if_empty(call_id);
        return std::unexpected(as_reason(shown.error()));
    }
    if (branch.pairs.empty()) {  // no media at all: there is nothing to remember
        if (fresh) drop(*speaker->call, branch, nullptr);
        end_if_empty(call_id);
        return with_description(std::move(*shown));
    }
    branch.deleted = false;
    branch.ends_at.reset();
    if (!branch.names.answered) {
        branch.ends_at = loop_.now() + unanswered_offer_time;
        look_again(call_id, *branch.ends_at);
    }
    keep(*speaker->call, branch);
    return with_description(std::move(*shown));
}

/// Each stream gets its legs, or keeps them; nothing of it is told to those that there were.
Result<void> Calls::take_offer(const Speaker& speaker, const Request& request, const sdp::Document& sdp) {
    Branch& branch = *speaker.branch;
    if (branch.call.exchange().pending()) {
        // The one before has been answered, or was refused: nobody says which but by going on.
        if (branch.call.exchange().answered()) {
            carry_out(branch, branch.call.close());
        } else if (!branch.names.answered && branch.wishes == request.wishes) {
            branch.call.suspend();  // the same again (401, 407): the same ports
        } else {
            carry_out(branch, branch.call.refuse());
        }
    }
    branch.closes_at.reset();
    branch.call.open({.offerer = speaker.end, .owner = ++last_number_});
    branch.wishes = request.wishes;
    branch.sources[index(speaker.end)] = request.received_from;
    if (!request.label.empty()) branch.labels[index(speaker.end)] = request.label;
    branch.call.offer_lines(sdp.media().size());
    branch.offered.assign(sdp.media().size(), {});
    const auto& direction = request.wishes.direction;
    if (branch.pairs.empty() && direction.size() == 2) {
        for (std::size_t i = 0; i < 2; ++i) {
            if (direction[i].empty()) continue;
            const auto side = side_named(direction[i], settings_.interfaces);
            if (!side) {
                return fail(Errc::refused, "direction: no interface '" + text::printable(direction[i], 40) +
                                               "'; [ng] interfaces names them");
            }
            branch.sides[i == 0 ? index(speaker.end) : index(other(speaker.end))] = *side;
        }
    }
    for (std::size_t line = 0; line < sdp.media().size(); ++line) {
        if (sdp.media()[line].rejected()) continue;
        if (auto taken = offer_stream(speaker, request, sdp, line); !taken) return taken;
    }
    return {};
}

Result<void> Calls::offer_stream(const Speaker& speaker, const Request& request, const sdp::Document& sdp,
                                 std::size_t line) {
    Branch& branch = *speaker.branch;
    const sdp::Media& media = sdp.media()[line];
    if (media.bundled_with) {
        branch.call.offer_bundled(line, *media.bundled_with, dialog::sending_of(sdp, media));
        return {};
    }
    if (media.port_count != 1) return fail(Errc::refused, "several ports in one m= line are not relayed");
    const dialog::Described said = dialog::describe(sdp, media, true);
    const Described from = describe_party(said, request, engine_.options().networks);
    Offered& offered = branch.offered[line];
    offered.mux = said.mux;
    if (!request.wishes.protocol.empty() && media.rtp() && media.protocol != request.wishes.protocol) {
        if (encryption(media.protocol) != encryption(request.wishes.protocol)) {
            return fail(Errc::refused, "transport-protocol: " + text::printable(std::string(media.protocol), 40) +
                                           " is not converted to " + request.wishes.protocol +
                                           "; SRTP passes from end to end as it is");
        }
        offered.protocol = media.protocol;
    }
    if (const LegPlace* ours = own_leg(said.rtp)) {
        if (!may_name(*ours, speaker, request))
            return fail(Errc::refused, to_string(*said.rtp) + " is a port of another call here");
        offered.named = said.rtp;
    } else if (said.rtp) {
        offered.party = from.party;
    }
    if (branch.pairs.empty() && request.wishes.direction.empty() && !offered.named)
        branch.sides[index(speaker.end)] = from.party.place == nat::Place::lan ? Side::lan : Side::wan;
    if (branch.call.offer(line, said)) {
        if (!branch.names.answered && offered.party) announce(speaker, line, *offered.party);
        return {};
    }
    const MuxWishes& mux = request.wishes.mux;
    const bool shown_mux = (said.mux && !mux.demux) || mux.offer || mux.require;
    auto number = open_pair(speaker, said, from, shown_mux && media.rtp(), offered, request.wishes.family);
    if (!number) return std::unexpected(number.error());
    branch.call.streams()[line].legs = *number;
    branch.pairs.at(*number).media = media.kind.substr(0, longest_kind);
    return {};
}

/// A leg that was offered before faces its party as that describes itself now: its first packets are known.
void Calls::announce(const Speaker& speaker, std::size_t line, const relay::Party& party) {
    const auto pair = speaker.branch->pairs.find(speaker.branch->call.streams()[line].legs);
    if (pair == speaker.branch->pairs.end()) return;
    relay::UpdateRequest update;
    update.party = party;
    (void)engine_.update(pair->second.legs[index(speaker.end)], update);
}

Calls::Reply Calls::answer(const Request& request) {
    const auto sdp = read_description(request);
    if (!sdp) return std::unexpected(sdp.error());
    Call* call = find(request.call_id);
    if (call == nullptr) return fail(Errc::not_found, "Unknown call-id");
    const auto speaker = choose(find_answers(names_of(*call), request), *call, *sdp);
    if (!speaker) return fail(Errc::not_found, "Invalid dialogue association");
    Branch& branch = *speaker->branch;
    const auto& open = branch.call.exchange().pending();
    if (!open || open->offerer != other(speaker->end)) {
        // It comes again, long after the one that counted: as it was shown before.
        auto shown = rewritten(*speaker, request, *sdp, false);
        if (!shown) return std::unexpected(shown.error());
        return with_description(std::move(*shown));
    }
    for (const sdp::Media& media : sdp->media()) {
        const LegPlace* ours = media.rejected() ? nullptr : own_leg(sdp->rtp_endpoint(media));
        if (ours != nullptr && ours->branch == &branch) return with_description(request.sdp);
    }
    if (auto taken = take_answer(*speaker, request, *sdp); !taken) return std::unexpected(as_reason(taken.error()));
    auto shown = rewritten(*speaker, request, *sdp, false);
    if (!shown) return std::unexpected(shown.error());
    branch.names.answered = true;
    if (branch.answered_ms == 0) branch.answered_ms = now_ms();
    branch.ends_at.reset();
    branch.closes_at = loop_.now() + answering_time;
    look_again(request.call_id, *branch.closes_at);
    note_answerer(*speaker, request);
    call->last_signal = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    keep(*call, branch);
    return with_description(std::move(*shown));
}

/// What both ends said takes effect.
Result<void> Calls::take_answer(const Speaker& speaker, const Request& request, const sdp::Document& sdp) {
    Branch& branch = *speaker.branch;
    const auto lines = branch.call.answer_lines(sdp);
    branch.sources[index(speaker.end)] = request.received_from;
    if (!request.label.empty()) branch.labels[index(speaker.end)] = request.label;
    for (std::size_t line = 0; line < lines.size(); ++line) {
        if (lines[line].refused) continue;
        auto& streams = branch.call.streams();
        if (lines[line].same_as) {
            streams[lines[line].carrier].carry(speaker.end, streams[line].offered.sending,
                                               dialog::sending_of(sdp, sdp.media()[line]));
            continue;
        }
        if (auto taken = answer_stream(speaker, request, sdp, line, lines[line].carrier); !taken) return taken;
    }
    branch.call.answered();
    return {};
}

Result<void> Calls::answer_stream(const Speaker& speaker, const Request& request, const sdp::Document& sdp,
                                  std::size_t line, std::size_t carrier) {
    Branch& branch = *speaker.branch;
    dialog::Stream& stream = branch.call.streams()[carrier];
    const auto found = branch.pairs.find(stream.legs);
    if (found == branch.pairs.end())
        return fail(Errc::not_found, "a stream that was not offered, or whose relay is gone");
    Pair& pair = found->second;
    const End own = speaker.end;
    const End offerer = other(own);
    const dialog::Described said = dialog::describe(sdp, sdp.media()[line], false);
    const Described from = describe_party(said, request, engine_.options().networks);
    stream.answer(own, said);
    pair.codec = sdp::first_codec(sdp, sdp.media()[line]);
    pair.named[index(own)].reset();
    if (const LegPlace* ours = own_leg(said.rtp)) {
        if (!may_name(*ours, speaker, request))
            return fail(Errc::refused, to_string(*said.rtp) + " is a port of another call here");
        pair.named[index(own)] = said.rtp;
    } else if (said.rtp) {
        pair.parties[index(own)] = from.party;
    }
    if (carrier < branch.offered.size()) {
        const Offered& offered = branch.offered[carrier];
        pair.named[index(offerer)] = offered.named;
        if (offered.party) pair.parties[index(offerer)] = offered.party;
        const MuxWishes& mux = branch.wishes.mux;
        const bool shown = (offered.mux && !mux.demux) || mux.offer || mux.require;
        pair.mux[index(own)] = shown && said.mux;
        pair.mux[index(offerer)] = offered.mux && !mux.reject && (said.mux || mux.accept || mux.demux);
    }
    for (const End end : {offerer, own}) {
        if (auto told = face(branch, pair, end, stream); !told) return told;
    }
    return connect(pair);
}

/// Who has answered last is the last of them.
void Calls::note_answerer(const Speaker& speaker, const Request& request) {
    Branch& branch = *speaker.branch;
    if (speaker.end != End::callee || request.to_tag.empty()) return;
    auto& tags = branch.names.answerers;
    std::erase(tags, request.to_tag);
    std::erase_if(branch.answerers, [&](const Answerer& each) { return each.tag == request.to_tag; });
    if (tags.size() >= most_answerers) {
        std::erase_if(branch.answerers, [&](const Answerer& each) { return each.tag == tags.front(); });
        tags.erase(tags.begin());
    }
    tags.push_back(request.to_tag);
    Answerer& answerer = branch.answerers.emplace_back();
    answerer.tag = request.to_tag;
    for (const dialog::Stream& stream : branch.call.streams()) {
        const auto pair = branch.pairs.find(stream.legs);
        answerer.parties.push_back(pair == branch.pairs.end() ? std::nullopt
                                                              : pair->second.parties[index(End::callee)]);
    }
}

}  // namespace natkit::ng
