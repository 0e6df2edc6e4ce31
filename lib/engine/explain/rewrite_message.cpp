#include "natkit/engine/explain/rewrite_message.hpp"

#include <algorithm>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/sdp/body.hpp"

namespace natkit::explain {
namespace {

std::size_t lines_before(std::string_view text, std::size_t offset) {
    return static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

std::string line_of(std::string_view all, std::string_view part) {
    return "line " + std::to_string(1 + lines_before(all, static_cast<std::size_t>(part.data() - all.data())));
}

/// Rewrites one description that stands at `offset` of `all`.
Result<sdp::Rewritten> rewrite_one(std::string_view all, std::size_t offset, std::string_view text, std::size_t index,
                                   const ChooseTargets& choose, const sdp::Options& options) {
    const std::size_t lines = lines_before(all, offset);
    const auto shift = [&](Error error) {  // "sdp:3" is a line of the description: count in the whole text
        if (error.where.starts_with("sdp:")) {
            const auto line = text::parse_number(std::string_view(error.where).substr(4), 1'000'000'000);
            error.where = "line " + std::to_string(line.value_or(1) + lines);
        }
        return std::unexpected(std::move(error));
    };
    const auto document = sdp::Document::parse(text);
    if (!document) return shift(document.error());
    const auto targets = choose(*document, index);
    if (!targets) return shift(targets.error());
    auto rewritten = sdp::rewrite(*document, *targets, options);
    if (!rewritten) return shift(rewritten.error());
    for (sdp::Edit& edit : rewritten->edits) {
        edit.line += lines;
        edit.offset += offset;
    }
    return rewritten;
}

/// Whether Content-Length ends the body within a description of which something was to be rewritten.
bool cuts_description(const sip::Message& message, const sdp::Bodies& bodies, const ChooseTargets& choose) {
    if (bodies.descriptions.empty() || text::trim(message.rest()).empty()) return false;
    const std::string_view all = message.bytes();
    const std::size_t start =
        static_cast<std::size_t>(message.body().data() - all.data()) + bodies.descriptions.back().offset;
    const auto document = sdp::Document::parse(all.substr(start));
    if (!document) return false;
    const auto targets = choose(*document, bodies.descriptions.size() - 1);
    return !targets || std::ranges::any_of(*targets, [](const auto& target) { return target.has_value(); });
}

}  // namespace

std::optional<Error> why_untouchable(const sip::Message& message) {
    const std::string_view all = message.bytes();
    const auto refuse = [&](std::string_view at, std::string why) {
        return Error{.code = Errc::refused, .where = line_of(all, at), .message = std::move(why)};
    };
    unsigned lengths = 0;
    for (const sip::Header& header : message.headers()) {
        const std::string value = text::lower(header.value);
        const bool credentials =
            header.name == sip::Name::authorization || header.name == sip::Name::proxy_authorization;
        if (credentials && value.find("auth-int") != std::string::npos) {
            return refuse(header.line, "the credentials protect the body (qop=auth-int)");
        }
        if (header.name == sip::Name::content_encoding && !value.empty() && value != "identity") {
            return refuse(header.line, "the body is coded: '" + text::printable(header.value, 40) + "'");
        }
        if (text::iequals(header.name_text, "Identity-Info"))
            return refuse(header.line, "the Identity signs the body (RFC 4474)");
        if (header.name == sip::Name::content_length && ++lengths > 1)
            return refuse(header.line, "a second Content-Length");
    }
    const sip::Header* length = message.find(sip::Name::content_length);
    if (length == nullptr) return std::nullopt;
    const auto declared = message.declared_length();
    if (!declared)
        return refuse(length->line, "Content-Length is not a number: '" + text::printable(length->value, 40) + "'");
    const bool extra = !text::trim(message.rest()).empty();
    if (*declared != message.body().size() || extra) {
        return refuse(length->line, "Content-Length is " + std::to_string(*declared) + ", the body has " +
                                        std::to_string(message.body().size() + message.rest().size()) + " bytes");
    }
    return std::nullopt;
}

Result<RewrittenMessage> rewrite_description(std::string_view text, const ChooseTargets& choose,
                                             const sdp::Options& options) {
    auto rewritten = rewrite_one(text, 0, text, 0, choose, options);
    if (!rewritten) return std::unexpected(rewritten.error());
    return RewrittenMessage{
        .bytes = std::move(rewritten->text), .edits = std::move(rewritten->edits), .has_description = true};
}

Result<RewrittenMessage> rewrite_message(const sip::Message& message, const ChooseTargets& choose,
                                         const sdp::Options& options) {
    const std::string_view all = message.bytes();
    const std::string_view body = message.body();
    const sdp::Bodies bodies = sdp::find_descriptions(message.value(sip::Name::content_type), body);
    const std::size_t body_at = static_cast<std::size_t>(body.data() - all.data());
    if (!bodies.sealed.empty()) {
        return fail(Errc::refused, "a signed or encrypted part: " + bodies.sealed.front().type,
                    line_of(all, body.substr(bodies.sealed.front().offset)));
    }
    RewrittenMessage result{.bytes = {}, .edits = {}, .has_description = !bodies.descriptions.empty()};
    std::string new_body;
    std::size_t at = 0;
    for (std::size_t i = 0; i < bodies.descriptions.size(); ++i) {
        const sdp::Span& span = bodies.descriptions[i];
        if (span.empty()) continue;
        auto rewritten =
            rewrite_one(all, body_at + span.offset, body.substr(span.offset, span.length), i, choose, options);
        if (!rewritten) return std::unexpected(rewritten.error());
        new_body.append(body.substr(at, span.offset - at)).append(rewritten->text);
        at = span.end();
        std::ranges::move(rewritten->edits, std::back_inserter(result.edits));
    }
    if (result.edits.empty() && !cuts_description(message, bodies, choose)) {
        result.bytes = all;
        return result;
    }
    if (auto reason = why_untouchable(message)) return std::unexpected(*std::move(reason));
    new_body.append(body.substr(at));
    result.bytes = all.substr(0, body_at);
    if (const sip::Header* length = message.find(sip::Name::content_length)) {
        const std::size_t value_at = static_cast<std::size_t>(length->value.data() - all.data());
        result.bytes.replace(value_at, length->value.size(), std::to_string(new_body.size()));
    }
    result.bytes.append(new_body).append(message.rest());
    return result;
}

}  // namespace natkit::explain
