#include "natclassify/classifier.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "natclassify/live.hpp"
#include "natkit/base/text.hpp"
#include "natkit/diagnose/table.hpp"
#include "natkit/engine/explain/input.hpp"
#include "natkit/record/explanation.hpp"

namespace natkit::natclassify {
namespace {

constexpr const char* program = "natclassify";

nlohmann::ordered_json to_json(const explain::PeerVerdict& peer) {
    nlohmann::ordered_json json = {{"behind_nat", peer.behind_nat}, {"rule", peer.rule}, {"tests", peer.tests}};
    if (peer.peer != "freeswitch") json["nat_uac_test"] = peer.number;
    return json;
}

/// Which side is which: a private address is inside. Between the families only that tells; of others the one is what
/// the other looks like beyond a translator (RFC 6052), and no NAT is in front of it.
std::optional<diagnose::Translation> turned(const diagnose::Translation& one, const nat::Networks& networks) {
    const auto is_private = [&](const Endpoint& at) {
        return networks.nated.contains(at.address) || networks.lan.contains(at.address);
    };
    const bool inside = is_private(one.inside), outside = is_private(one.outside);
    if (outside && !inside) return diagnose::Translation{.inside = one.outside, .outside = one.inside};
    if (!inside && one.inside.address.family() != one.outside.address.family()) return std::nullopt;
    return one;
}

/// What a NAT on the capturing machine changed: on their way out packets have its outer address as source.
std::optional<diagnose::Translation> translation(const std::optional<explain::Copy>& copy,
                                                 const explain::Arrival& arrival, const nat::Networks& networks) {
    if (!copy) return std::nullopt;
    if (copy->source_translated) return turned({.inside = copy->source, .outside = arrival.source}, networks);
    if (copy->destination_translated && arrival.destination)
        return turned({.inside = *arrival.destination, .outside = copy->destination}, networks);
    return std::nullopt;
}

/// That a media proxy was needed is the cause: one of the parties is told what it cannot reach, and no relay is there.
bool for_want_of_a_proxy(const diagnose::Diagnosis& diagnosis, const record::Decision& decision) {
    if (!diagnosis.broken() || !decision.decision.relay || decision.relay_seen.value_or(false)) return false;
    const diagnose::Cause root = diagnosis.findings.front().cause;
    return root == diagnose::Cause::private_address || root == diagnose::Cause::wrong_family;
}

}  // namespace

Classifier::Classifier(const Settings& settings)
    : settings_(settings),
      output_(program),
      text_(settings.colour),
      explanations_(text_, !settings.selection.call_id.empty() || !settings.selection.user.empty()),
      selector_(settings.selection) {
    calls_.on_call = [this](const explain::Call& call) { on_call(call); };
    reader_.source = settings.source;
    reader_.transport = settings.transport;
    reader_.on_message = [this](const record::Sip& sip, nlohmann::ordered_json* json, const capture::Sighting& seen) {
        return on_message(sip, json, seen.time_ns);
    };
    reader_.on_other = [this](const std::string& line) { write(line + "\n"); };
    reader_.on_description = [this](const std::string& text) { return on_description(text); };
    reader_.on_bad = [this](const std::string& where, const Error& error) { bad(where, error); };
    reader_.on_line_done = [this] { output_.flush(); };
    reader_.stop = stop_wanted;
    reader_.on_time = [this](std::int64_t now_ns) {
        calls_.on_time(now_ns);
        output_.flush();
    };
    reader_.on_no_sip = [this](const std::string& name, const explain::Tally& instead) {
        bad({}, {.code = Errc::bad_input, .where = name, .message = instead.text()});
    };
    if (settings.show_progress) reader_.on_progress = tool::show_progress;
    if (settings.explain) listen_to_captures();
}

void Classifier::listen_to_captures() {
    explain::CaptureEvents& events = reader_.events;
    events.on_media = [this](const explain::CapturedMedia& media) {
        capture_.end_ns = std::max(capture_.end_ns, media.seen.time_ns);
        capture_.rtp.on_packet(media.seen.frame, media.source, media.destination, media.seen.time_ns, media.payload,
                               media.seen.hops);
        if (const auto inner = capture_.tunnels.unwrap(media.source, media.destination, media.payload))
            capture_.rtp.on_packet(media.seen.frame, inner->source, inner->destination, media.seen.time_ns,
                                   inner->payload);
    };
    events.on_segment = [this](const capture::Datagram& segment) { capture_.tcp.on_segment(segment); };
    events.on_icmp_error = [this](const capture::IcmpError& error) { capture_.evidence.on_icmp_error(error); };
    events.on_lost_fragments = [this](const capture::LostFragments& lost) { on_lost_fragments(lost); };
}

void Classifier::on_lost_fragments(const capture::LostFragments& lost) {
    if (!lost.begin || lost.begin->protocol != capture::Datagram::Protocol::udp) return;
    const auto& payload = lost.begin->payload;
    const std::string text(payload.begin(), payload.end());
    if (!explain::starts_message(text)) return;
    const record::Sip sip{.time = record::time_text(lost.first.time_ns),
                          .frame = lost.first.frame,
                          .transport = "udp",
                          .source = lost.begin->source,
                          .destination = lost.begin->destination,
                          .message = text,
                          .cut = true};
    incomplete_ = true;
    (void)on_message(sip, nullptr, lost.first.time_ns);  // what of it cannot be read is missing, not wrong
    incomplete_ = false;
}

void Classifier::read(capture::ByteSource source) {
    if (settings_.html) page_.add_input(source.name());
    reader_.read(std::move(source));
    if (settings_.show_progress) tool::end_progress();
}

void Classifier::read(capture::PacketReader packets) {
    reader_.read(std::move(packets));
}

void Classifier::read(std::vector<explain::Reader::Capture> captures) {
    reader_.read(std::move(captures));
    if (settings_.html) {
        for (const std::string& name : reader_.names()) page_.add_input(name);
    }
    if (settings_.show_progress) tool::end_progress();
}

/// Time goes on within a capture alone; packets that it has twice are recognised.
Result<void> Classifier::on_message(const record::Sip& sip, nlohmann::ordered_json* json, std::int64_t time_ns) {
    if (time_ns != 0 && sip.source && sip.destination) {
        time_ns_ = time_ns;
        capture_.end_ns = std::max(capture_.end_ns, time_ns);
        for (const Endpoint& end : {*sip.source, *sip.destination}) hint_.saw(end.address, settings_.rules.networks);
        copy_ = copies_.find(sip.frame.value_or(0), time_ns, *sip.source, *sip.destination, sip.message);
    }
    const auto done = classify(sip, json);
    copy_.reset();
    return done;
}

Result<void> Classifier::on_description(const std::string& text) {
    const auto document = sdp::Document::parse(text);
    if (!document) return std::unexpected(document.error());
    if (!settings_.source)
        return fail(Errc::bad_input, "a bare session description has no sender: give --source ADDRESS:PORT");
    const record::Nat nat = explain::describe(*document, *settings_.source, settings_.rules.networks);
    if (!settings_.json) {
        write(text_.description(*settings_.source, nat));
        return {};
    }
    nlohmann::ordered_json json = {{"type", "sdp"}, {"source", to_string(*settings_.source)}};
    record::set_message(json, text);
    json["nat"] = record::to_json(nat);
    write(record::to_line(json));
    return {};
}

/// A progress line on the same terminal gives way. Into a page goes nothing but its calls.
void Classifier::write(const std::string& text) {
    if (settings_.html) return;
    if (settings_.one_terminal) tool::end_progress();
    output_.write(shown(text));
    if (settings_.one_terminal) output_.flush();
}

std::string Classifier::shown(const std::string& text) {
    if (!settings_.anonymize) return text;
    return settings_.json ? anonymizer_.record(text) : anonymizer_.text(text);
}

void Classifier::bad(const std::string& where, const Error& error) {
    any_bad_ = true;
    Error told = error;
    if (settings_.anonymize) told.message = anonymizer_.text(told.message);
    if (!where.empty()) told.where = where + (error.where.empty() ? "" : ": " + error.where);
    output_.flush();
    tool::complain(program, told);
}

/// A name may lie across two pieces: the page is anonymized as a whole.
void Classifier::write_page() {
    if (!settings_.anonymize) return page_.write([this](std::string_view text) { output_.write(text); });
    std::string whole;
    page_.write([&whole](std::string_view text) { whole += text; });
    output_.write(anonymizer_.text(whole));
}

bool Classifier::finish() {
    calls_.finish();
    if (settings_.explain && !settings_.json) write(explanations_.summary());
    if (settings_.html) write_page();
    output_.flush();
    if (const auto hint = hint_.text(settings_.rules.networks)) tool::complain(program, *hint);
    return any_bad_;
}

/// A proxy's ACK for a refusal and its CANCEL have one Via too, its own: what it passes on for others is not its own.
void Classifier::note_own_via(const sip::Message& message, const explain::MessageFacts& facts, const Endpoint& source) {
    if (!message.is_request() || message.method() == "ACK" || message.method() == "CANCEL") return;
    if (facts.via_count > 1) {
        vias_.touch(source) = std::nullopt;
        return;
    }
    const auto via = facts.via ? facts.via->address() : std::nullopt;
    const auto* known = vias_.find(source);
    const bool passes_on = known != nullptr && !*known;
    if (via && !passes_on) vias_.touch(source) = via;
}

Result<void> Classifier::classify(const record::Sip& sip, nlohmann::ordered_json* json) {
    ++messages_;
    const auto message = explain::parse_leniently(sip.message);
    if (!message) return std::unexpected(message.error());
    const explain::MessageFacts facts = explain::read_facts(*message);
    const auto source = sip.source ? sip.source : explain::source_of_via(facts);
    if (!source) return fail(Errc::bad_input, "nothing says where this message came from: give --source ADDRESS:PORT");
    explain::Arrival arrival{.transport = sip.transport.empty() ? "udp" : sip.transport,
                             .source = *source,
                             .destination = sip.destination,
                             .cut = sip.cut};
    note_own_via(*message, facts, *source);
    if (const auto* via = message->is_request() && facts.via_count == 1 ? nullptr : vias_.find(*source))
        arrival.own_via = *via;
    const record::Nat nat = explain::describe(*message, facts, arrival, settings_.rules.networks);
    record::Sip known = sip;
    known.source = source;
    selector_.on_message(*message);
    if (settings_.anonymize) anonymizer_.learn(sip.message);
    if (!settings_.explain) write_record(known, *message, nat, facts, arrival, json);
    const explain::MessageSeen seen{.message = *message,
                                    .facts = facts,
                                    .nat = nat,
                                    .arrival = arrival,
                                    .frame = sip.frame.value_or(messages_),
                                    .time_ns = time_ns_,
                                    .copy = copy_.has_value(),
                                    .incomplete = incomplete_,
                                    .translated = translation(copy_, arrival, settings_.rules.networks)};
    if (settings_.html) page_.on_message(seen);
    calls_.on_message(seen);
    return explain::report_control(*message);
}

void Classifier::write_record(const record::Sip& sip, const sip::Message& message, const record::Nat& nat,
                              const explain::MessageFacts& facts, const explain::Arrival& arrival,
                              nlohmann::ordered_json* json) {
    std::vector<explain::PeerVerdict> peers;
    if (!settings_.compare.empty() && message.is_request()) {
        peers = explain::compare_peers(message.method(), facts, arrival);
        if (settings_.compare != "all")
            std::erase_if(peers, [&](const explain::PeerVerdict& peer) { return peer.peer != settings_.compare; });
    }
    if (!settings_.json) return write(text_.message(sip, message, nat, peers, copy_ ? &*copy_ : nullptr));
    nlohmann::ordered_json made;
    if (json == nullptr) {
        made = record::to_json(sip, {.method = std::string(message.method()),
                                     .status = message.status(),
                                     .call_id = std::string(message.call_id()),
                                     .cseq = std::string(message.value(sip::Name::cseq))});
        json = &made;
    }
    (*json)["nat"] = record::to_json(nat);
    if (copy_) {
        (*json)["copy_of"] = copy_->frame;
        (*json)["translated"] = nlohmann::ordered_json::array();
        if (copy_->source_translated) (*json)["translated"].push_back("source");
        if (copy_->destination_translated) (*json)["translated"].push_back("destination");
    }
    for (const explain::PeerVerdict& peer : peers) (*json)["compare"][peer.peer] = to_json(peer);
    write(record::to_line(*json));
}

void Classifier::on_call(const explain::Call& call) {
    if (settings_.explain) return explain_call(call);
    const auto decision = explain::decide_call(call, settings_.rules);
    if (!decision || decision->streams.empty()) return;
    write(settings_.json ? record::to_line(record::to_json(*decision)) : text_.decision(*decision));
}

/// For a program the decision comes along; for people the doctor says what matters of it.
void Classifier::explain_call(const explain::Call& call) {
    const diagnose::CallFacts facts = explain::facts_of(call, capture_, settings_.rules.networks);
    const diagnose::Diagnosis diagnosis = diagnose::diagnose(facts);
    const explain::Selectable selectable{
        .call_id = call.call_id, .first_ns = call.first_ns, .last_ns = call.last_ns, .faulty = diagnosis.broken()};
    if (!selector_.wants(selectable, reader_.start_ns())) return;
    if (settings_.html) return page_.on_call(diagnosis, facts, capture_.rtp, settings_.rules);
    const auto decision = explain::decide_call(call, settings_.rules);
    if (!settings_.json) {
        const bool told = decision && (settings_.policy || for_want_of_a_proxy(diagnosis, *decision));
        const std::string text = explanations_.call(diagnosis, told ? text_.policy(*decision) : std::string());
        if (!text.empty()) write(text);
        return;
    }
    if (decision && !decision->streams.empty()) write(record::to_line(record::to_json(*decision)));
    const bool only_registered = diagnosis.registration && diagnosis.findings.empty();
    if (!only_registered) write(record::to_line(record::to_json(diagnosis)));
}

}  // namespace natkit::natclassify
