#include "description.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"
#include "natkit/sdp/body.hpp"

namespace natkit::edge {
namespace {

/// A password that vouches for the body (RFC 3261 section 22.4) would no longer fit a changed one.
bool vouched_for(const sip::Message& message) {
    return std::ranges::any_of(message.headers(), [](const sip::Header& header) {
        const bool credentials =
            header.name == sip::Name::authorization || header.name == sip::Name::proxy_authorization;
        return credentials && text::lower(header.value).find("auth-int") != std::string::npos;
    });
}

/// A second v= or o= line: which description is meant, nobody knows.
bool two_in_one(std::string_view text) {
    std::array<unsigned, 2> seen{};
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view line = text.substr(at);
        for (std::size_t i = 0; i < 2; ++i) {
            if (line.starts_with(i == 0 ? "v=" : "o=") && ++seen[i] > 1) return true;
        }
        at = text::line_end(text, at) + 1;
    }
    return false;
}

/// The descriptions that are there, whether they can be rewritten or not.
sdp::Bodies bodies_of(const sip::Message& message) {
    if (message.body().empty() || message.content_type().empty()) return {};
    sdp::Bodies found = sdp::find_descriptions(message.value(sip::Name::content_type), message.body());
    std::erase_if(found.descriptions, [](const sdp::Span& span) { return span.empty(); });
    return found;
}

}  // namespace

Carried carried_by(const sip::Message& message) {
    const sdp::Bodies found = bodies_of(message);
    if (!found.sealed.empty()) return {.description = {}, .why_not = "it is of type " + found.sealed.front().type};
    if (found.descriptions.empty()) return {};
    if (found.descriptions.size() > 1) {
        return {.description = {}, .why_not = "it has several session descriptions"};
    }
    const std::string_view encoding = text::trim(message.value(sip::Name::content_encoding));
    if (!encoding.empty() && !text::iequals(encoding, "identity")) {
        return {.description = {}, .why_not = "it is encoded as " + std::string(encoding)};
    }
    const sdp::Span& first = found.descriptions.front();
    if (two_in_one(message.body().substr(first.offset, first.length)))
        return {.description = {}, .why_not = "it has two session descriptions in one body"};
    if (vouched_for(message)) return {.description = {}, .why_not = "its sender's credentials vouch for it (auth-int)"};
    return {.description = found.descriptions.front(), .why_not = {}};
}

std::optional<std::string> description_of(const sip::Message& message) {
    const auto found = carried_by(message).description;
    if (!found) return std::nullopt;
    return std::string(message.body().substr(found->offset, found->length));
}

std::string with_description(const sip::Message& message, std::string_view text) {
    std::string body(message.body());
    const sdp::Bodies found = bodies_of(message);
    if (found.descriptions.size() == 1)
        body.replace(found.descriptions.front().offset, found.descriptions.front().length, text);
    return body;
}

void warn_unchanged(const sip::Message& message, Output& out) {
    const std::string why = carried_by(message).why_not;
    if (why.empty()) return;
    out.log(LogLevel::problems, "call " + text::printable(message.call_id(), 80) +
                                    ": a body is passed on unchanged: " + text::printable(why, 100));
}

}  // namespace natkit::edge
