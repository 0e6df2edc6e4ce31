#include "refuse.hpp"

#include "natkit/base/text.hpp"

namespace natkit::sdp {
namespace {

std::string where(std::size_t line) {
    return "sdp:" + std::to_string(line + 1);
}

}  // namespace

std::optional<Error> why_refused(const Document& doc, const Media& media, const MediaTarget& target) {
    const auto refuse = [&](std::size_t line, std::string message) {
        return Error{.code = Errc::refused, .where = where(line), .message = std::move(message)};
    };
    if (media.port_field.port.empty() || media.protocol.empty() || media.port_count == 0) {
        return refuse(media.line,
                      "not an m= line: '" + text::printable(doc.text(doc.lines()[media.line].whole), 60) + "'");
    }
    if (target.rtp.port == 0 || target.rtp.address.is_unspecified() || target.rtp.address.is_multicast()) {
        return refuse(media.line, "media cannot be sent to " + to_string(target.rtp));
    }
    if (media.port_count > 1 && target.rtp.port + 2 * (media.port_count - 1) + 1 > 65535) {
        return refuse(media.line,
                      "no room for " + std::to_string(media.port_count) + " ports from " + to_string(target.rtp));
    }
    if (!media.connection) return std::nullopt;
    if (auto error = why_refused(doc, *media.connection)) return error;
    for (const Field& field : doc.fields()) {  // layered c= lines only make sense for multicast (RFC 8866 section 5.7)
        if (media.own_connections < 2) break;
        if (field.kind != FieldKind::connection || field.line <= media.line || field.line >= media.end) continue;
        if (doc.text(field.address) != doc.text(media.connection->address)) {
            return refuse(field.line,
                          "a second c= line for one stream: '" + text::printable(doc.text(field.address), 60) + "'");
        }
    }
    return std::nullopt;
}

std::optional<Error> why_refused(const Document& doc) {
    const auto second = doc.second_description();
    if (!second) return std::nullopt;
    return Error{.code = Errc::refused,
                 .where = where(*second),
                 .message = "a second description in one body: '" +
                            text::printable(doc.text(doc.lines()[*second].value), 60) + "'"};
}

std::optional<Error> why_refused(const Document& doc, const Field& connection) {
    const auto address = doc.address(connection);
    if (!address) return std::nullopt;  // a name: replaced like an address
    const auto refuse = [&](const char* what) {
        return Error{.code = Errc::refused,
                     .where = where(connection.line),
                     .message = std::string(what) + ": '" + text::printable(doc.text(connection.address), 60) + "'"};
    };
    const bool has_colon = doc.text(connection.address).find(':') != std::string_view::npos;
    if (has_colon != (doc.text(connection.family) == "IP6")) return refuse("the address is not of the family it names");
    if (address->is_multicast()) return refuse("multicast cannot be pointed at a relay");
    return std::nullopt;
}

}  // namespace natkit::sdp
