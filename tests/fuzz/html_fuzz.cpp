// The page for a ticket: names and phrases of any bytes add no markup to it. As many tags, and quotation marks in them,
// are in the page as with names of one letter each; what is escaped is UTF-8 without control characters.
//
// links: explain_engine
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/diagnose/table.hpp"
#include "natkit/engine/explain/html/path_picture.hpp"
#include "natkit/engine/explain/html/report.hpp"

using namespace natkit;

namespace {

constexpr std::int64_t second = 1'000'000'000;

/// The input in pieces: each takes a part of what is left.
class Pieces {
  public:
    explicit Pieces(std::string_view bytes) : bytes_(bytes) {}
    std::string next() {
        if (bytes_.empty()) return {};
        const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(bytes_.front()), bytes_.size() - 1);
        const std::string piece(bytes_.substr(1, size));
        bytes_.remove_prefix(size + 1);
        return piece;
    }

  private:
    std::string_view bytes_;
};

Endpoint at(const char* text) {
    return *Endpoint::parse(text);
}

/// A broken call with these texts, wherever one can stand.
std::string page_of(const std::array<std::string, 10>& texts) {
    diagnose::CallFacts facts;
    diagnose::Call& call = facts.call;
    call.call_id = texts[0];
    call.names = {texts[1], texts[2]};
    call.answered = true;
    call.last_ns = 10 * second;
    call.caller_source = at("203.0.113.9:5060");
    call.callee_source = at("203.0.113.20:5060");
    diagnose::Request request{
        .method = "M" + texts[3], .cseq = 1, .source = *call.caller_source, .destination = *call.callee_source};
    request.copies = 2;
    request.frame = 1;
    request.responses = {{.status = 200, .frame = 2, .destination = *call.caller_source, .reason = texts[4]}};
    call.requests = {request};
    for (const diagnose::End party : {diagnose::End::caller, diagnose::End::callee}) {
        const bool caller = party == diagnose::End::caller;
        const Endpoint media = at(caller ? "203.0.113.9:4000" : "203.0.113.20:4002");
        diagnose::SessionDescription description{.frame = caller ? 1U : 2U,
                                                 .writer = party,
                                                 .source = *call.caller_source,
                                                 .destination = *call.callee_source,
                                                 .request = caller,
                                                 .status = caller ? 0 : 200,
                                                 .cseq = 1,
                                                 .method = "INVITE",
                                                 .vias = 1,
                                                 .streams = {{.kind = texts[5], .rtp = media}}};
        description.streams[0].formats = {{.number = 96, .name = texts[6]}};
        call.descriptions.push_back(description);
    }
    diagnose::RtpStream stream{.source = at("203.0.113.20:4002"),
                               .destination = at("203.0.113.9:4000"),
                               .first_ns = second,
                               .last_ns = 9 * second};
    stream.rtp = 400;
    stream.ssrc = 1;
    stream.payload_types = {{.number = 96, .packets = 400, .first_frame = 3}};
    facts.rtp = {stream};
    diagnose::Diagnosis diagnosis = diagnose::diagnose(facts);
    diagnosis.findings = {
        {.cause = diagnose::Cause::nothing_sent, .sentence = texts[7], .change = texts[8], .frames = {1, 2, 3}}};
    const explain::MediaPath path{.call_ids = {texts[0]}, .kind = texts[5], .nodes = {{.relay = {}}, {.relay = {}}}};
    html::Report report;
    report.add_input(texts[9]);
    report.add(diagnosis, facts, {path});
    diagnosis.findings[0].harmless = true;
    report.add(diagnosis, facts, {});
    std::string page = html::to_svg({path});
    report.write([&](std::string_view part) { page += part; });
    return page;
}

void check_escaped(const std::string& text) {
    const std::string escaped = html::escaped(text);
    for (const char c : escaped) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '<' || c == '>' || c == '"' || c == '\'' || byte < 0x20 || byte == 0x7f) std::abort();
    }
    for (std::size_t i = escaped.find('&'); i != std::string::npos; i = escaped.find('&', i + 1)) {
        const std::string_view rest = std::string_view(escaped).substr(i);
        constexpr std::array<std::string_view, 5> references = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
        if (std::ranges::none_of(references, [&](std::string_view one) { return rest.starts_with(one); })) std::abort();
    }
    if (html::Markup().put("{}", escaped).str().find("\\x") < escaped.find("\\x")) std::abort();  // it is UTF-8 now
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_escaped(std::string(bytes));
    Pieces pieces(bytes);
    std::array<std::string, 10> texts, plain;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        texts[i] = pieces.next();
        plain[i] = texts[i].empty() ? "" : "x";
    }
    const std::string page = page_of(texts), other = page_of(plain);
    for (const char mark : {'<', '>', '"', '\0'}) {
        if (std::ranges::count(page, mark) != std::ranges::count(other, mark)) std::abort();
    }
    return 0;
}
