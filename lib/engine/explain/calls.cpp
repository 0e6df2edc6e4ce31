#include "natkit/engine/explain/calls.hpp"

#include <algorithm>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_calls = 4096;
constexpr std::size_t most_notes = 64;
constexpr std::size_t most_known = 8192;
constexpr std::int64_t linger_ns = 10'000'000'000;
constexpr std::uint64_t sweep_every = 256;

/// The best of a party's newest descriptions: of one offer or answer seen on several hops, the first or the last hop.
template <class Better>
const DescriptionSeen* pick(const std::vector<DescriptionSeen>& all, Side writer, Better better) {
    const DescriptionSeen* best = nullptr;
    for (const DescriptionSeen& one : all) {
        if (one.writer != writer || one.streams.empty()) continue;
        const bool same =
            best != nullptr && one.cseq == best->cseq && one.request == best->request && one.method == best->method;
        if (!same || better(one, *best)) best = &one;
    }
    return best;
}

void read_candidates(const sdp::Document& document, const sdp::Media& media, StreamSeen& stream) {
    for (const sdp::Field& field : document.fields()) {
        if (field.kind != sdp::FieldKind::candidate || field.line < media.line || field.line >= media.end) continue;
        const auto address = document.address(field);
        if (address && stream.candidates.size() < 16 &&
            std::ranges::find(stream.candidates, *address) == stream.candidates.end()) {
            stream.candidates.push_back(*address);
        }
    }
}

}  // namespace

StreamSeen stream_of(const sdp::Document& document, const sdp::Media& media) {
    StreamSeen stream{.kind = text::printable(media.kind, 40),
                      .rtp = document.rtp_endpoint(media),
                      .rtcp = document.rtcp_endpoint(media)};
    stream.direction = media.direction;
    stream.rejected = media.rejected();
    stream.hold = !media.rejected() && document.on_hold(media);
    if (media.connection && document.text(media.connection->family) == "IP6") stream.family = Family::ipv6;
    if (stream.rtp) stream.family = stream.rtp->address.family();
    read_candidates(document, media, stream);
    return stream;
}

const DescriptionSeen* Call::written(Side side) const {
    // A request gathers Vias on its way; a response loses them.
    return pick(descriptions, side, [](const DescriptionSeen& one, const DescriptionSeen& best) {
        return one.request ? one.vias < best.vias : one.vias > best.vias;
    });
}

const DescriptionSeen* Call::delivered(Side side) const {
    return pick(descriptions, side, [](const DescriptionSeen& one, const DescriptionSeen& best) {
        return one.request ? one.vias > best.vias : one.vias < best.vias;
    });
}

bool Call::several_hops() const {
    const DescriptionSeen* first = written(Side::caller);
    const DescriptionSeen* last = delivered(Side::caller);
    return first != nullptr && first != last;
}

Call* CallTracker::find_or_make(const MessageSeen& seen) {
    const std::string id(seen.message.call_id());
    if (const auto found = by_id_.find(id); found != by_id_.end()) return &*found->second;
    const bool starts =
        seen.message.is_request() ? seen.message.method() == "INVITE" : !seen.facts.descriptions.empty();
    if (!starts || id.empty() || id.size() > 1024) return nullptr;
    if (calls_.size() >= most_calls) hand_out(calls_.begin());
    Call call{.call_id = id,
              .caller_tag = seen.message.from_tag(),
              .first_frame = seen.frame,
              .first_ns = seen.time_ns,
              .last_ns = seen.time_ns};
    by_id_[id] = calls_.insert(calls_.end(), std::move(call));
    return &calls_.back();
}

void CallTracker::note_client(const MessageSeen& seen) {
    const auto found = known_.find(seen.arrival.source);
    const bool tells = seen.nat.verdict.place == nat::Place::far_end && seen.message.is_request();
    if (found != known_.end()) {
        found->second.heard_ns = seen.time_ns;
        if (tells) found->second.nat = seen.nat;
    } else if (tells && known_.size() < most_known) {
        known_.insert({seen.arrival.source, {.nat = seen.nat, .heard_ns = seen.time_ns}});
    }
}

void CallTracker::on_message(const MessageSeen& seen) {
    if (++messages_ % sweep_every == 0) make_room(seen.time_ns);
    note_client(seen);
    const auto cseq = seen.message.cseq();
    if (!cseq) return;
    Call* call = find_or_make(seen);
    if (call == nullptr) return;
    call->last_ns = std::max(call->last_ns, seen.time_ns);
    const bool from_caller_tag = seen.message.from_tag() == call->caller_tag;
    const Side sender = seen.message.is_request() == from_caller_tag ? Side::caller : Side::callee;
    if (call->alg.empty() && !seen.nat.alg.empty()) call->alg = seen.nat.alg;
    if (cseq->method == "INVITE") note_party(*call, seen, sender);
    if (seen.copy) return;
    note_request(*call, seen, *cseq);
    note_descriptions(*call, seen, *cseq, sender);
    if (seen.message.is_request()) {
        call->invited = call->invited || seen.message.method() == "INVITE";
        call->ended = call->ended || seen.message.method() == "BYE" || seen.message.method() == "CANCEL";
    } else if (cseq->method == "INVITE") {
        const int status = seen.message.status();
        if (status >= 200 && status < 300) call->answered = true;
        if (status >= 300 && status != 401 && status != 407 && !call->answered) {
            call->failure = status;
            call->ended = true;
        }
    }
}

/// The message nearest to a party tells best where it is: its own request before any proxy, its own response before any
/// proxy took a Via off.
void CallTracker::note_party(Call& call, const MessageSeen& seen, Side sender) {
    const bool request = seen.message.is_request();
    if (!request && seen.message.status() == 100) return;  // hop by hop
    std::optional<record::Nat>& nat = sender == Side::caller ? call.caller : call.callee;
    std::optional<Endpoint>& source = sender == Side::caller ? call.caller_source : call.callee_source;
    unsigned& vias = sender == Side::caller ? call.caller_vias : call.callee_vias;
    const bool nearer = !nat || (request ? seen.facts.via_count < vias : seen.facts.via_count > vias);
    const bool outside = seen.copy && seen.nat.verdict.place == nat::Place::far_end && seen.facts.via_count == vias;
    if (!nearer && !outside) return;
    nat = seen.nat;
    // A response says little of its own: what the same flow said in a request counts.
    const auto known = known_.find(seen.arrival.source);
    if (nat->verdict.place == nat::Place::wan && known != known_.end()) nat = known->second.nat;
    vias = seen.facts.via_count;
    source = seen.arrival.source;
}

void CallTracker::note_request(Call& call, const MessageSeen& seen, const sip::CSeq& cseq) {
    const bool request = seen.message.is_request();
    const Endpoint source = request ? seen.arrival.source : seen.arrival.destination.value_or(Endpoint{});
    const Endpoint destination = request ? seen.arrival.destination.value_or(Endpoint{}) : seen.arrival.source;
    for (RequestSeen& one : call.requests) {
        if (one.cseq != cseq.number || one.method != cseq.method || one.source != source ||
            one.destination != destination)
            continue;
        if (request) {
            ++one.copies;
            one.last_ns = seen.time_ns;
        } else {
            one.status = seen.message.status();
        }
        return;
    }
    if (!request || call.requests.size() >= most_notes || cseq.method == "ACK") return;
    const auto known = known_.find(destination);
    call.requests.push_back({.method = cseq.method,
                             .cseq = cseq.number,
                             .source = source,
                             .destination = destination,
                             .first_ns = seen.time_ns,
                             .last_ns = seen.time_ns,
                             .copies = 1,
                             .status = 0,
                             .heard_ns = known == known_.end() ? std::nullopt : std::optional(known->second.heard_ns)});
}

void CallTracker::note_descriptions(Call& call, const MessageSeen& seen, const sip::CSeq& cseq, Side sender) {
    if (seen.facts.descriptions.empty() || call.descriptions.size() >= most_notes) return;
    const sdp::Document& document = seen.facts.descriptions.front();
    DescriptionSeen description{.frame = seen.frame,
                                .time_ns = seen.time_ns,
                                .writer = sender,
                                .source = seen.arrival.source,
                                .destination = seen.arrival.destination.value_or(Endpoint{}),
                                .request = seen.message.is_request(),
                                .status = seen.message.status(),
                                .cseq = cseq.number,
                                .method = cseq.method,
                                .vias = seen.facts.via_count,
                                .streams = {}};
    for (const sdp::Media& media : document.media()) {
        if (description.streams.size() >= 16) break;
        description.streams.push_back(stream_of(document, media));
    }
    for (const DescriptionSeen& old : call.descriptions) {  // a retransmission tells nothing new
        if (old.source == description.source && old.destination == description.destination &&
            old.cseq == description.cseq && old.method == description.method && old.status == description.status &&
            old.streams == description.streams) {
            return;
        }
    }
    call.descriptions.push_back(std::move(description));
}

void CallTracker::hand_out(Calls::iterator call) {
    if (on_call) on_call(*call);
    by_id_.erase(call->call_id);
    calls_.erase(call);
}

void CallTracker::make_room(std::int64_t now_ns) {
    for (auto call = calls_.begin(); call != calls_.end();) {
        const auto next = std::next(call);
        if (call->ended && call->last_ns + linger_ns < now_ns) hand_out(call);
        call = next;
    }
}

void CallTracker::finish() {
    while (!calls_.empty()) hand_out(calls_.begin());
}

}  // namespace natkit::explain
