#include "natkit/engine/explain/calls.hpp"

#include <algorithm>
#include <utility>

#include "call_requests.hpp"
#include "natkit/base/text.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_calls = 4096;
constexpr std::size_t most_kept = 64;
constexpr std::size_t most_translations = 16;
constexpr std::size_t most_bytes = 24 * 1024 * 1024;
constexpr std::size_t longest_tag = 128;
constexpr std::size_t longest_host = 253;  // RFC 1035
constexpr std::size_t most_evidence = 12;
constexpr std::size_t longest_value = 200;
constexpr std::int64_t linger_ns = 10'000'000'000;
constexpr std::uint64_t sweep_every = 256;

/// Whether no branch of an INVITE is open. Once the hop nearest to the caller has a refusal, those behind it do not
/// count; hops that start at one place are the branches of a fork.
bool refused_everywhere(const Call& call, std::uint32_t cseq) {
    const diagnose::Request* first = nullptr;
    for (const diagnose::Request& one : call.requests) {
        if (one.method != "INVITE" || one.cseq != cseq) continue;
        if (first == nullptr) first = &one;
        if (one.status < 300 && (first->status < 300 || one.source == first->source)) return false;
    }
    return true;
}

/// Tags are compared, never shown: what is too long to be kept is compared by its beginning.
std::string short_tag(std::string tag) {
    if (tag.size() > longest_tag) tag.resize(longest_tag);
    return tag;
}

/// With at most so much evidence as is shown: a hostile message may have any amount.
record::Nat shortened(record::Nat nat) {
    for (auto* list : {&nat.evidence, &nat.alg}) {
        if (list->size() > most_evidence) list->resize(most_evidence);
        for (record::Evidence& one : *list) {
            if (one.value.size() > longest_value) one.value = one.value.substr(0, longest_value);
        }
    }
    return nat;
}

std::size_t bytes_of(const std::optional<record::Nat>& nat) {
    return nat ? (nat->evidence.size() + nat->alg.size()) * (sizeof(record::Evidence) + longest_value) : 0;
}

/// What a call takes in memory, rather too much than too little.
std::size_t bytes_of(const Call& call) {
    std::size_t bytes = 1024 + call.call_id.size() * 3 + call.hosts[0].size() + call.hosts[1].size() +
                        call.descriptions.capacity() * sizeof(SessionDescription) + bytes_of_requests(call.requests) +
                        bytes_of(call.caller) + bytes_of(call.callee) + call.names[0].size() + call.names[1].size();
    for (const diagnose::Rewrite& one : call.rewrites)
        for (const diagnose::Rewrite::Line& line : one.lines)
            bytes += sizeof line + line.subject.size() + line.before.size() + line.after.size();
    for (const SessionDescription& one : call.descriptions) {
        bytes += one.streams.capacity() * sizeof(MediaDescription) + one.tag.size();
        for (const MediaDescription& stream : one.streams)
            bytes += stream.candidates.capacity() * sizeof(Endpoint) + stream.kind.size() +
                     stream.formats.capacity() * sizeof(diagnose::Format);
    }
    return bytes;
}

}  // namespace

std::array<std::string, 2> hosts_of(const sip::Message& message) {
    const auto host = [](const Result<sip::NameAddr>& address) {
        const auto uri = address ? sip::Uri::parse(address->uri) : sip::Uri::parse("");
        return uri ? uri->host.substr(0, longest_host) : std::string();
    };
    return {host(message.from()), host(message.to())};
}

CallTracker::Open* CallTracker::find_or_make(const MessageSeen& seen) {
    const std::string id(seen.message.call_id());
    if (const auto found = by_id_.find(id); found != by_id_.end()) return &*found->second;
    const bool registration = seen.message.is_request() && seen.message.method() == "REGISTER";
    const bool starts = seen.message.is_request() ? seen.message.method() == "INVITE" || registration
                                                  : !seen.facts.descriptions.empty();
    if (!starts || id.empty() || id.size() > 1024) return nullptr;
    if (calls_.size() >= most_calls) hand_out(calls_.begin());
    Call call;
    call.call_id = id;
    call.hosts = hosts_of(seen.message);
    call.registration = registration;
    call.names = {address_of_record(seen.message.from()), address_of_record(seen.message.to())};
    if (!registration) call.callee_registration = registrations_.of(call.names[1], seen.time_ns);
    call.caller_tag = short_tag(seen.message.from_tag());
    call.first_frame = seen.frame;
    call.first_ns = call.last_ns = seen.time_ns;
    by_id_[id] = calls_.insert(calls_.end(), {.call = std::move(call)});
    return &calls_.back();
}

void CallTracker::note_client(const MessageSeen& seen) {
    const bool tells = seen.nat.verdict.place == nat::Place::far_end && seen.message.is_request();
    if (!tells && known_.find(seen.arrival.source) == nullptr) return;
    Known& known = known_.touch(seen.arrival.source);
    known.heard_ns = seen.time_ns;
    if (tells) known.nat = shortened(seen.nat);
}

void CallTracker::on_message(const MessageSeen& seen) {
    if (++messages_ % sweep_every == 0) hand_out_ended(seen.time_ns);
    note_client(seen);
    registrations_.on_message(seen.message, seen.facts, seen.arrival.source, seen.frame, seen.time_ns);
    const auto& cseq = seen.message.cseq();
    if (!cseq) return;
    Open* open = find_or_make(seen);
    if (open == nullptr) return;
    Call& call = open->call;
    call.last_ns = std::max(call.last_ns, seen.time_ns);
    call.cut = call.cut || seen.arrival.cut;
    const bool from_caller_tag = short_tag(seen.message.from_tag()) == call.caller_tag;
    const End sender = seen.message.is_request() == from_caller_tag ? End::caller : End::callee;
    const std::string tag = short_tag(from_caller_tag ? seen.message.to_tag() : seen.message.from_tag());
    if (call.contradictions.empty() && !seen.nat.alg.empty()) {
        for (const record::Evidence& one : shortened(seen.nat).alg)
            call.contradictions.push_back({.field = one.field, .value = one.value});
    }
    note_translation(call, seen);
    open->rewrites.on_message(call, seen);
    if (!seen.copy) {
        const Known* known = seen.arrival.destination ? known_.find(*seen.arrival.destination) : nullptr;
        note_request(call, seen, sender, tag, known == nullptr ? std::nullopt : std::optional(known->heard_ns));
    }
    note_progress(*open, seen, *cseq, tag);
    if (cseq->method == "INVITE") {
        note_nats(*open, seen, from_caller_tag ? End::caller : End::callee, sender);
        note_whereabouts(*open, seen, sender, tag);
    }
    if (!seen.copy) note_descriptions(call, seen, *cseq, sender, tag);
    account(*open);
}

/// A call is over by a BYE in its dialog, or when no branch of its INVITE can be answered any more; a CANCEL alone ends
/// nothing, for a 2xx may have been on its way (RFC 3261 section 9.1).
void CallTracker::note_progress(Open& open, const MessageSeen& seen, const sip::CSeq& cseq, const std::string& tag) {
    Call& call = open.call;
    if (call.registration) {
        const int status = seen.message.status();
        call.ended = seen.message.is_request() ? false : status >= 200 && status < 300;
        return;
    }
    const bool ours = call.callee_tag.empty() || tag.empty() || tag == call.callee_tag;
    if (seen.message.is_request()) {
        const bool invite = seen.message.method() == "INVITE";
        call.ended = call.ended || (seen.message.method() == "BYE" && ours);
        if (invite && call.failure != 0 && !call.answered) {  // tried again: redirected, or after 422
            call.failure = 0;
            call.ended = false;
        }
        return;
    }
    if (cseq.method != "INVITE" || call.answered) return;
    const int status = seen.message.status();
    if (status >= 200 && status < 300) {
        call.answered = true;
        call.callee_tag = tag;
        call.failure = 0;
        call.ended = false;
        if (open.heard_tag == tag) return;
        call.callee.reset();  // it was another phone of the fork that rang
        call.callee_source.reset();
    } else if (status >= 300 && status != 401 && status != 407) {
        call.failure = status;
        call.ended = refused_everywhere(call, cseq.number);
    }
}

void CallTracker::note_nats(Open& open, const MessageSeen& seen, End maker, End writer) {
    const auto note = [&](End party, bool behind) {
        const auto number = static_cast<std::size_t>(party);
        open.behind_nat[number] = open.behind_nat[number] || behind;
        open.call.behind_nat[number] = open.call.behind_nat[number] || behind;
    };
    note(maker, seen.facts.maker_behind_nat);
    note(writer, seen.facts.writer_behind_nat);
}

/// The message nearest to a party tells best where it is: its own request before any proxy, its own response before any
/// proxy took a Via off.
void CallTracker::note_whereabouts(Open& open, const MessageSeen& seen, End sender, const std::string& tag) {
    Call& call = open.call;
    const bool request = seen.message.is_request();
    if (!request && seen.message.status() == 100) return;  // hop by hop
    const bool other_branch = sender == End::callee && call.answered && !tag.empty() && tag != call.callee_tag;
    if (other_branch) return;
    std::optional<record::Nat>& nat = sender == End::caller ? call.caller : call.callee;
    std::optional<Endpoint>& source = sender == End::caller ? call.caller_source : call.callee_source;
    unsigned& vias = sender == End::caller ? call.caller_vias : call.callee_vias;
    const bool nearer = !nat || (request ? seen.facts.via_count < vias : seen.facts.via_count > vias);
    const bool outside = seen.copy && seen.nat.verdict.place == nat::Place::far_end && seen.facts.via_count == vias;
    if (!nearer && !outside) return;
    nat = shortened(seen.nat);
    // A response says little about where its sender is: what the same source said in a request counts.
    const Known* known = known_.find(seen.arrival.source);
    if (nat->verdict.place == nat::Place::wan && known != nullptr && known->nat.received == nat->received)
        nat = known->nat;
    const auto party = static_cast<std::size_t>(sender);
    call.behind_nat[party] = nat->verdict.place == nat::Place::far_end || open.behind_nat[party];
    vias = seen.facts.via_count;
    source = seen.arrival.source;
    if (sender == End::callee) open.heard_tag = tag;
}

void CallTracker::note_translation(Call& call, const MessageSeen& seen) {
    if (!seen.translated || call.translations.size() >= most_translations) return;
    if (std::ranges::find(call.translations, *seen.translated) == call.translations.end())
        call.translations.push_back(*seen.translated);
}

void CallTracker::note_descriptions(Call& call, const MessageSeen& seen, const sip::CSeq& cseq, End sender,
                                    const std::string& tag) {
    if (seen.facts.descriptions.empty() || call.descriptions.size() >= most_kept) return;
    const sdp::Document& document = seen.facts.descriptions.front();
    SessionDescription description{.frame = seen.frame,
                                   .time_ns = seen.time_ns,
                                   .writer = sender,
                                   .source = seen.arrival.source,
                                   .destination = seen.arrival.destination.value_or(Endpoint{}),
                                   .request = seen.message.is_request(),
                                   .status = seen.message.status(),
                                   .cseq = cseq.number,
                                   .method = short_tag(cseq.method),
                                   .tag = tag,
                                   .vias = seen.facts.via_count,
                                   .streams = {}};
    for (const sdp::Media& media : document.media()) {
        if (description.streams.size() >= 16) break;
        description.streams.push_back(media_description(document, media));
    }
    for (const SessionDescription& old : call.descriptions) {  // a retransmission tells nothing new
        if (old.source == description.source && old.destination == description.destination &&
            old.cseq == description.cseq && old.method == description.method && old.status == description.status &&
            old.tag == description.tag && old.streams == description.streams) {
            return;
        }
    }
    call.descriptions.push_back(std::move(description));
}

void CallTracker::account(Open& open) {
    const std::size_t bytes = bytes_of(open.call) + open.rewrites.bytes();
    bytes_ += bytes - open.bytes;
    open.bytes = bytes;
    while (bytes_ > most_bytes && !calls_.empty()) hand_out(calls_.begin());
}

void CallTracker::hand_out(Calls::iterator open) {
    if (on_call) on_call(open->call);
    bytes_ -= open->bytes;
    by_id_.erase(open->call.call_id);
    calls_.erase(open);
}

void CallTracker::hand_out_ended(std::int64_t now_ns) {
    for (auto open = calls_.begin(); open != calls_.end();) {
        const auto next = std::next(open);
        if (open->call.ended && open->call.last_ns + linger_ns < now_ns) hand_out(open);
        open = next;
    }
}

void CallTracker::finish() {
    while (!calls_.empty()) hand_out(calls_.begin());
}

}  // namespace natkit::explain
