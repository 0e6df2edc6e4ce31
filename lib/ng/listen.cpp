#include "natkit/ng/listen.hpp"

#include <array>

#include "natkit/base/text.hpp"

namespace natkit::ng {
namespace {

constexpr std::array<std::pair<std::string_view, Listen::Kind>, 4> kinds = {
    std::pair{"udp", Listen::Kind::udp}, std::pair{"tcp", Listen::Kind::tcp},
    std::pair{"unix", Listen::Kind::unix_socket}, std::pair{"http", Listen::Kind::http}};

}  // namespace

Result<Listen> Listen::parse(std::string_view text) {
    const auto wrong = [&](const char* what) {
        return fail(Errc::bad_config, std::string(what) + ": '" + text::printable(std::string(text), 80) + "'");
    };
    const std::size_t colon = text.find(':');
    for (const auto& [word, kind] : kinds) {
        if (colon == std::string_view::npos || text.substr(0, colon) != word) continue;
        Listen listen{.kind = kind, .endpoint = {}, .path = {}};
        const std::string_view where = text.substr(colon + 1);
        if (kind == Kind::unix_socket) {
            if (where.size() < 2 || where.front() != '/' || where.size() > 100) return wrong("not an absolute path");
            listen.path = where;
            return listen;
        }
        const auto endpoint = Endpoint::parse(where);
        if (!endpoint || endpoint->port == 0) return wrong("not an address and port");
        listen.endpoint = *endpoint;
        return listen;
    }
    return wrong("none of udp:, tcp:, unix:, http:");
}

std::string to_string(const Listen& listen) {
    for (const auto& [word, kind] : kinds) {
        if (kind != listen.kind) continue;
        return std::string(word) + ":" + (kind == Listen::Kind::unix_socket ? listen.path : to_string(listen.endpoint));
    }
    return {};
}

}  // namespace natkit::ng
