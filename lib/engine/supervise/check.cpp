#include "natkit/engine/supervise/check.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "natkit/crypto/tls.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/privileges.hpp"

namespace natkit::supervise {
namespace {

/// Not mistakes: an address may come later, as one that hosts take over from each other does.
void find_absent_addresses(const config::Config& config, std::vector<Error>& warnings) {
    const auto host = io::host_addresses();
    if (!host) return;
    std::vector<IpAddress> told;
    for (const config::Listen& listen : config.sip.listen) {
        const IpAddress& address = listen.endpoint.address;
        if (std::ranges::find(*host, address, &HostAddress::address) != host->end()) continue;
        if (std::ranges::find(told, address) != told.end()) continue;
        told.push_back(address);
        warnings.push_back({Errc::bad_config, "",
                            "[sip] listen: " + to_string(address) +
                                ": no address yet: it is no address of this host (ip address lists them), and is "
                                "listened on once it is"});
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
    const std::string& key = context.error().where;
    problems.push_back({Errc::bad_config, "",
                        "[tls] " + (key.empty() ? "certificate" : key) + ": " + context.error().message +
                            "; write the paths of a PEM certificate and the key that belongs to it"});
}

std::string day_of(std::chrono::sys_seconds time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 16> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &utc)};
}

/// A certificate that natkit can use, and whoever connects will not take: it is out of its time, or for other names.
void look_at_certificate(const config::Config& config, std::vector<Error>& warnings) {
    if (config.tls.certificate.empty()) return;
    const auto certificate = crypto::read_certificate(config.tls.certificate, config.sip.domains);
    if (!certificate) return;  // told as a problem
    const auto warn = [&](const std::string& what) {
        warnings.push_back({Errc::bad_config, "", "[tls] certificate: " + what});
    };
    const auto now = std::chrono::system_clock::now();
    if (certificate->not_after <= now) {
        warn("it has expired on " + day_of(certificate->not_after) + "; phones and servers refuse it: get a new one");
    } else if (certificate->not_before > now) {
        warn("it is not valid before " + day_of(certificate->not_before) + "; phones and servers refuse it until then");
    } else if (certificate->not_after <= now + std::chrono::days(14)) {
        warn("it expires on " + day_of(certificate->not_after) + "; get a new one");
    }
    std::string names;
    for (const std::string& name : certificate->names) names += (names.empty() ? "" : ", ") + name;
    for (const std::string& domain : certificate->not_for) {
        warn("it is not for " + domain + ", of [sip] domains, but for " + (names.empty() ? "no host" : names) +
             "; phones that verify refuse it");
    }
}

/// What check() would look at on the host that the file is for.
std::vector<std::string> left_to_its_host(const config::Config& config) {
    std::vector<std::string> list = {config.sip.listen_given
                                         ? "[sip] listen: whether these are addresses of that host"
                                         : "[sip] listen: the addresses of that host, as none are given"};
    if (!config.network.lan_given) list.emplace_back("[network] lan: the private networks that host is connected to");
    const auto file = [&](const char* key, const std::string& path) {
        if (!path.empty() && path != "stderr" && path != "journal") list.push_back(std::string(key) + ": " + path);
    };
    file("[registrar] users", config.registrar.users);
    file("[tls] certificate", config.tls.certificate);
    file("[tls] key", config.tls.key);
    file("[tls] ca", config.tls.ca);
    file("[log] target", config.log.target);
    file("[log] calls", config.log.calls);
    if (!config.daemon.user.empty()) list.push_back("[daemon] user: whether there is one called " + config.daemon.user);
    return list;
}

}  // namespace

std::expected<Elsewhere, config::Problems> check_for_host(const daemon::Configuration& source) {
    config::Draft draft = config::draft_or_default(source.options().config_file, source.options().base_dir);
    if (!draft.readable || !draft.problems.empty()) return std::unexpected(std::move(draft.problems));
    auto not_looked = left_to_its_host(draft.loaded.config);
    return Elsewhere{.loaded = std::move(draft.loaded), .not_looked = std::move(not_looked)};
}

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
    if (addresses == Addresses::of_this_host) {
        std::vector<Error> warnings;
        find_absent_addresses(config, warnings);
        look_at_certificate(config, warnings);
        config::locate(warnings, draft.loaded.places);
        draft.loaded.warnings.insert(draft.loaded.warnings.end(), warnings.begin(), warnings.end());
    }
    config::locate(more, draft.loaded.places);
    draft.problems.insert(draft.problems.end(), std::make_move_iterator(more.begin()),
                          std::make_move_iterator(more.end()));
    if (!draft.problems.empty()) return std::unexpected(std::move(draft.problems));
    return std::move(draft.loaded);
}

}  // namespace natkit::supervise
