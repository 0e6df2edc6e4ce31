// SDP: spans lie in the text and the lines make it up; rewriting twice to the same place changes nothing more.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/sdp/document.hpp"
#include "natkit/sdp/rewrite.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check_spans(const sdp::Document& document) {
    std::size_t at = 0;
    for (const sdp::Line& line : document.lines()) {
        require(line.whole.offset == at && line.value.end() <= line.whole.end());
        at = line.whole.end();
    }
    require(at == document.text().size());
    for (const sdp::Field& field : document.fields()) {
        require(field.line < document.lines().size());
        for (const sdp::Span& span : {field.family, field.address, field.port}) require(span.end() <= at);
        (void)document.address(field);
        (void)document.port(field);
    }
    for (const sdp::Media& media : document.media()) {
        require(media.line < media.end && media.end <= document.lines().size());
        (void)document.rtp_endpoint(media);
        (void)document.rtcp_endpoint(media);
        (void)document.on_hold(media);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto document = sdp::Document::parse(text);
    if (!document) return 0;
    require(document->text() == text);
    check_spans(*document);

    static const Endpoint relay = *Endpoint::parse("203.0.113.10:40000");
    const std::vector<std::optional<sdp::MediaTarget>> targets(document->media().size(),
                                                               sdp::MediaTarget{.rtp = relay});
    const auto once = sdp::rewrite(*document, targets, {});
    if (!once) return 0;
    const auto second = sdp::Document::parse(once->text);
    require(second.has_value());
    check_spans(*second);
    const auto twice = sdp::rewrite(*second, targets, {});
    require(twice.has_value() && twice->text == once->text);
    return 0;
}
