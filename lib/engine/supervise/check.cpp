#include "natkit/engine/supervise/check.hpp"

#include <unistd.h>

#include <algorithm>

#include "natkit/crypto/tls.hpp"
#include "natkit/io/host.hpp"
#include "natkit/io/privileges.hpp"

namespace natkit::supervise {
namespace {

void find_absent_addresses(const config::Config& config, config::Problems& problems) {
    const auto host = io::host_addresses();
    if (!host) return;
    std::vector<IpAddress> told;
    for (const config::Listen& listen : config.sip.listen) {
        const IpAddress& address = listen.endpoint.address;
        if (std::ranges::find(*host, address, &HostAddress::address) != host->end()) continue;
        if (std::ranges::find(told, address) != told.end()) continue;
        told.push_back(address);
        problems.push_back({Errc::bad_config, "",
                            "[sip] listen: " + to_string(address) +
                                " is no address of this host; write one of those that ip address lists"});
    }
}

/// A certificate and key that can be read, but not used.
void try_certificate(const config::Tls& tls, config::Problems& problems) {
    for (const std::string* path : {&tls.certificate, &tls.key, &tls.ca}) {
        if (!path->empty() && ::access(path->c_str(), R_OK) != 0) return;  // told already
    }
    if (tls.certificate.empty() && tls.key.empty() && tls.ca.empty()) return;
    const auto context = crypto::TlsContext::load({.certificate = tls.certificate, .key = tls.key, .ca = tls.ca});
    if (context) return;
    const auto names = [&](const std::string& path) {
        return !path.empty() && context.error().message.find(path) != std::string::npos;
    };
    const char* key = names(tls.key) ? "key" : names(tls.ca) && !names(tls.certificate) ? "ca" : "certificate";
    problems.push_back({Errc::bad_config, "",
                        std::string("[tls] ") + key + ": " + context.error().message +
                            "; write the paths of a PEM certificate and the key that belongs to it"});
}

}  // namespace

std::expected<config::Loaded, config::Problems> check(const daemon::Configuration& source, Addresses addresses) {
    config::Draft draft = source.draft();
    if (!draft.readable) return std::unexpected(std::move(draft.problems));
    const config::Config& config = draft.loaded.config;
    config::Problems more = daemon::missing_files(draft.loaded);
    try_certificate(config.tls, more);
    if (!config.daemon.user.empty() && !io::user_exists(config.daemon.user)) {
        more.push_back({Errc::bad_config, "",
                        "[daemon] user: no such user: '" + config.daemon.user +
                            "'; write the name of a user of this host, or \"\""});
    }
    if (addresses == Addresses::of_this_host) find_absent_addresses(config, more);
    config::locate(more, draft.loaded.places);
    draft.problems.insert(draft.problems.end(), std::make_move_iterator(more.begin()),
                          std::make_move_iterator(more.end()));
    if (!draft.problems.empty()) return std::unexpected(std::move(draft.problems));
    return std::move(draft.loaded);
}

}  // namespace natkit::supervise
