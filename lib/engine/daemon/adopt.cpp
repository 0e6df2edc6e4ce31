#include "natkit/engine/daemon/adopt.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/io/net/host.hpp"

namespace natkit::daemon {

Result<std::vector<config::Listen>> read_adopted(const nlohmann::ordered_json& request,
                                                 const std::vector<io::Fd>& descriptors) {
    const auto names = request.find("sockets");
    if (names == request.end() || !names->is_array() || names->size() != descriptors.size()) {
        return fail(Errc::usage, "sockets: a list of listen strings, one for each descriptor, expected");
    }
    std::vector<config::Listen> wanted;
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        const auto& text = (*names)[i];
        const auto listen = config::Listen::parse(text.is_string() ? text.get<std::string>() : std::string());
        if (!listen) return std::unexpected(listen.error());
        const auto name = io::socket_name(descriptors[i]);
        if (!name) return std::unexpected(name.error());
        if (name->local != listen->endpoint || name->stream != (listen->transport != config::Transport::udp)) {
            return fail(Errc::bad_input, "the descriptor for " + to_string(*listen) + " is another socket");
        }
        if (std::ranges::find(wanted, *listen) != wanted.end()) {
            return fail(Errc::bad_input, to_string(*listen) + " is there twice");
        }
        wanted.push_back(*listen);
    }
    return wanted;
}

}  // namespace natkit::daemon
