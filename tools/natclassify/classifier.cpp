#include "natclassify/classifier.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::natclassify {
namespace {

constexpr const char* program = "natclassify";

/// Where a message came from, by what its receiver wrote into the Via (RFC 3581), when nobody else says.
std::optional<Endpoint> source_of_via(const explain::Facts& facts) {
    if (!facts.via || !facts.via->received) return std::nullopt;
    const auto address = IpAddress::parse(*facts.via->received);
    if (!address) return std::nullopt;
    return Endpoint{.address = *address, .port = facts.via->rport.value_or(facts.via->port.value_or(5060))};
}

/// Reads a message as leniently as can be: one that was cut before the end of its header part as far as it goes; space
/// after the start line (RFC 4475 section 3.1.2.10) NUL in quoted text (section 3.1.1.2) and odd letters in a method do
/// no harm here.
Result<sip::Message> parse_message(const std::string& bytes) {
    auto message = sip::Message::parse(bytes);
    if (message) return message;
    std::string lenient = bytes;
    std::ranges::replace(lenient, '\0', '_');
    if (const std::size_t feed = lenient.find('\n'); feed != std::string::npos) {
        const std::size_t end = lenient.find_last_not_of(" \t\r", feed - (feed > 0 ? 1 : 0));
        if (end != std::string::npos && end < feed) lenient.erase(end + 1, feed - end - 1);
        if (explain::starts_message(
                "X" + lenient.substr(std::min(lenient.find(' '), feed)))) {  // a method of impossible letters
            for (std::size_t i = 0; i < lenient.find(' '); ++i) {
                if (lenient[i] <= ' ' || lenient[i] >= 0x7f) lenient[i] = '_';
            }
        }
    }
    if (auto whole = sip::Message::parse(lenient)) return whole;
    const bool has_end = lenient.find("\n\r\n") != std::string::npos || lenient.find("\n\n") != std::string::npos;
    if (has_end || lenient.find('\n') == std::string::npos) return message;
    if (auto whole = sip::Message::parse(lenient + (lenient.ends_with('\n') ? "\r\n" : "\r\n\r\n"))) return whole;
    if (auto lines = sip::Message::parse(lenient.substr(0, lenient.rfind('\n') + 1) + "\r\n")) return lines;
    return message;
}

nlohmann::ordered_json to_json(const explain::PeerVerdict& peer) {
    nlohmann::ordered_json json = {{"behind_nat", peer.behind_nat}, {"rule", peer.rule}, {"tests", peer.tests}};
    if (peer.peer != "freeswitch") json["nat_uac_test"] = peer.number;
    return json;
}

nlohmann::ordered_json to_json(const explain::Way& way) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    if (way.told) json["told"] = to_string(*way.told);
    json["relayed"] = way.relayed;
    json["sent_packets"] = way.sent;
    json["arrived_packets"] = way.arrived;
    json["sources"] = nlohmann::ordered_json::array();
    for (const Endpoint& source : way.sources) json["sources"].push_back(to_string(source));
    return json;
}

nlohmann::ordered_json to_json(const explain::Explanation& explanation) {
    nlohmann::ordered_json json = {
        {"type", "explanation"}, {"call_id", explanation.call_id}, {"frame", explanation.first_frame}};
    json["streams"] = nlohmann::ordered_json::array();
    for (const explain::StreamReport& stream : explanation.streams) {
        json["streams"].push_back({{"kind", stream.kind},
                                   {"to_callee", to_json(stream.to_callee)},
                                   {"to_caller", to_json(stream.to_caller)}});
    }
    json["findings"] = nlohmann::ordered_json::array();
    for (const explain::Finding& finding : explanation.findings) {
        nlohmann::ordered_json one = {{"cause", explain::to_string(finding.cause)}};
        if (finding.silent) one["hears_nothing"] = *finding.silent == explain::Side::caller ? "caller" : "callee";
        one["sentence"] = finding.sentence;
        one["change"] = finding.change;
        json["findings"].push_back(std::move(one));
    }
    return json;
}

}  // namespace

Classifier::Classifier(const Settings& settings) : settings_(settings), output_(program), text_(settings.colour) {
    calls_.on_call = [this](const explain::Call& call) { on_call(call); };
}

void Classifier::bad(const std::string& where, const Error& error) {
    any_bad_ = true;
    Error told = error;
    if (!where.empty()) told.where = where + (error.where.empty() ? "" : ": " + error.where);
    output_.flush();
    tool::complain(program, told);
}

void Classifier::read(capture::ByteSource source) {
    const auto head = source.peek(64);
    Result<void> done;
    const std::string name = source.name();
    if (!head) {
        done = std::unexpected(head.error());
    } else {
        switch (explain::recognise(*head)) {
            case explain::InputKind::empty: break;
            case explain::InputKind::sip: done = read_messages(source); break;
            case explain::InputKind::json: done = read_lines(source); break;
            case explain::InputKind::capture: done = read_capture(std::move(source)); break;
            case explain::InputKind::sdp:
                done = fail(Errc::bad_input, "a bare session description has no sender to classify", name);
                break;
        }
    }
    if (!done) bad({}, done.error());
}

bool Classifier::finish() {
    calls_.finish();
    output_.flush();
    return any_bad_;
}

Result<void> Classifier::read_messages(capture::ByteSource& source) {
    explain::MessageReader reader(source);
    for (;;) {
        auto piece = reader.next();
        if (!piece) return std::unexpected(piece.error());
        if (!*piece) return {};
        if ((*piece)->content.empty()) continue;
        const record::Sip sip{
            .transport = settings_.transport, .source = settings_.source, .message = std::move((*piece)->content)};
        if (auto done = classify(sip, nullptr); !done)
            bad(source.name() + ":" + std::to_string((*piece)->line), done.error());
    }
}

Result<void> Classifier::read_lines(capture::ByteSource& source) {
    explain::LineReader reader(source);
    for (;;) {
        const auto piece = reader.next();
        if (!piece) return std::unexpected(piece.error());
        if (!*piece) return {};
        if (text::trim((*piece)->content).empty()) continue;
        read_line(**piece, source.name() + ":" + std::to_string((*piece)->line));
        output_.flush();
    }
}

void Classifier::read_line(const explain::Piece& piece, const std::string& where) {
    auto json = record::parse_line(piece.content);
    if (!json) return bad(where, json.error());
    const auto type = json->find("type");
    if (type != json->end() && *type != "sip") {
        output_.write(piece.content + "\n");  // somebody else's record
        return;
    }
    const auto sip = record::read_sip(*json);
    if (!sip) return bad(where, sip.error());
    if (auto done = classify(*sip, &*json); !done) bad(where, done.error());
}

Result<void> Classifier::read_capture(capture::ByteSource source) {
    const std::string name = source.name();
    auto reader = capture::PacketReader::open(std::move(source));
    if (!reader) return std::unexpected(reader.error());
    explain::CaptureMessages messages;
    messages.on_message = [&](explain::CapturedMessage&& message) { captured(name, std::move(message)); };
    if (settings_.explain) {
        messages.on_media = [&](const explain::CapturedMedia& media) {
            flows_.on_packet(media.source, media.destination, media.time_ns, media.payload);
        };
    }
    bool told = false;
    if (settings_.show_progress) {
        messages.on_progress = [&] {
            if (const auto done = reader->source().progress()) {
                std::fprintf(stderr, "\r%s: %3d %%", name.c_str(), static_cast<int>(*done * 100));
                told = true;
            }
        };
    }
    auto done = messages.run(*reader);
    if (told) std::fprintf(stderr, "\r\x1b[K");
    return done;
}

void Classifier::captured(const std::string& name, explain::CapturedMessage&& captured) {
    const record::Sip sip{.time = record::time_text(captured.time_ns),
                          .frame = captured.frame,
                          .transport = captured.transport,
                          .source = captured.source,
                          .destination = captured.destination,
                          .message = std::move(captured.bytes)};
    time_ns_ = captured.time_ns;
    copy_ = copies_.find(captured.frame, captured.time_ns, captured.source, captured.destination, sip.message);
    if (auto done = classify(sip, nullptr); !done)
        bad(name + ": frame " + std::to_string(captured.frame), done.error());
    copy_.reset();
}

Result<void> Classifier::classify(const record::Sip& sip, nlohmann::ordered_json* json) {
    ++messages_;
    const auto message = parse_message(sip.message);
    if (!message) return std::unexpected(message.error());
    const explain::Facts facts = explain::read_facts(*message);
    const auto source = sip.source ? sip.source : source_of_via(facts);
    if (!source) return fail(Errc::bad_input, "nothing says where this message came from: give --source ADDRESS:PORT");
    const explain::Arrival arrival{
        .transport = sip.transport.empty() ? "udp" : sip.transport, .source = *source, .destination = sip.destination};
    const record::Nat nat = explain::describe(*message, facts, arrival, settings_.rules.networks);
    record::Sip known = sip;
    known.source = source;
    if (!settings_.explain) write_record(known, *message, nat, facts, arrival, json);
    calls_.on_message({.message = *message,
                       .facts = facts,
                       .nat = nat,
                       .arrival = arrival,
                       .frame = sip.frame.value_or(messages_),
                       .time_ns = time_ns_,
                       .copy = copy_.has_value()});
    return {};
}

void Classifier::write_record(const record::Sip& sip, const sip::Message& message, const record::Nat& nat,
                              const explain::Facts& facts, const explain::Arrival& arrival,
                              nlohmann::ordered_json* json) {
    std::vector<explain::PeerVerdict> peers;
    if (!settings_.compare.empty() && message.is_request()) {
        peers = explain::compare_peers(facts, arrival);
        if (settings_.compare != "all")
            std::erase_if(peers, [&](const explain::PeerVerdict& peer) { return peer.peer != settings_.compare; });
    }
    if (!settings_.json) return output_.write(text_.message(sip, message, nat, peers, copy_ ? &*copy_ : nullptr));
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
    output_.write(record::to_line(*json));
}

void Classifier::on_call(const explain::Call& call) {
    const auto decision = explain::decide_call(call, settings_.rules);
    const bool known = decision && !decision->streams.empty();
    if (known) output_.write(settings_.json ? record::to_line(record::to_json(*decision)) : text_.decision(*decision));
    if (!settings_.explain) return;
    const explain::Explanation explanation = explain::diagnose(call, flows_, settings_.rules);
    if (!known && explanation.findings.empty()) return;
    output_.write(settings_.json ? record::to_line(to_json(explanation)) : text_.explanation(explanation, known));
}

}  // namespace natkit::natclassify
