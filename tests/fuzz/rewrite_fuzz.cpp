// Raw SIP as sdprewrite takes it: the pieces are the input; without a target a message stays byte for byte; what is
// rewritten is still the same message, with an honest Content-Length.
//
// links: explain_engine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "natkit/engine/explain/input.hpp"
#include "natkit/engine/explain/message_facts.hpp"
#include "natkit/engine/explain/rewrite_message.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

explain::ChooseTargets all_to(std::optional<sdp::MediaTarget> target) {
    return
        [target](const sdp::Document& document, std::size_t) -> Result<std::vector<std::optional<sdp::MediaTarget>>> {
            return std::vector<std::optional<sdp::MediaTarget>>(document.media().size(), target);
        };
}

/// As natclassify takes it: what is read leniently still lies in its own bytes, and what is strict is read the same.
void check_lenient(const std::string& bytes) {
    const auto strict = sip::Message::parse(bytes);
    const auto lenient = explain::parse_leniently(bytes);
    require(lenient.has_value() || !strict.has_value());
    if (!lenient) return;
    require(!strict || lenient->bytes() == strict->bytes());
    require(lenient->bytes().size() <= bytes.size() + 4);
    const explain::MessageFacts facts = explain::read_facts(*lenient);
    const explain::Arrival arrival{.source = *Endpoint::parse("198.51.100.7:4001"), .own_via = IpAddress()};
    const nat::Networks networks{.lan = {}, .nated = nat::default_nated(), .nat_servers = {}};
    const record::Nat nat = explain::describe(*lenient, facts, arrival, networks);
    require(nat.received == arrival.source.address);
    for (const sdp::Document& document : facts.descriptions)
        (void)explain::describe(document, arrival.source, networks);
}

void check_message(const std::string& bytes) {
    check_lenient(bytes);
    const auto message = sip::Message::parse(bytes);
    if (!message) return;
    const auto kept = explain::rewrite_message(*message, all_to(std::nullopt), {});
    require(!kept || kept->bytes == bytes);
    const auto moved =
        explain::rewrite_message(*message, all_to(sdp::MediaTarget{.rtp = *Endpoint::parse("203.0.113.10:40000")}), {});
    if (!moved) return;
    const auto again = sip::Message::parse(moved->bytes);
    require(again.has_value() && again->headers().size() == message->headers().size() &&
            again->start_line() == message->start_line());
    if (!moved->edits.empty() && again->find(sip::Name::content_length) != nullptr) {
        require(again->declared_length() == again->body().size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    auto source = capture::ByteSource::of(bytes);
    if (bytes.starts_with("\x1f\x8b")) return 0;  // gzip: other bytes come out
    explain::MessageReader reader(source);
    std::string together;
    for (;;) {
        const auto piece = reader.next();
        if (!piece || !*piece) break;
        together += (*piece)->lead + (*piece)->content;
        check_message((*piece)->content);
    }
    require(together + std::string(reader.rest()) == bytes);
    return 0;
}
