// The addresses of this host come and go, and the SIP sockets with them.
#include <algorithm>
#include <map>

#include "natkit/io/net/host.hpp"
#include "supervisor_impl.hpp"

namespace natkit::supervise {
namespace {

using namespace std::chrono_literals;

IpAddress address_of(const std::string& name) {
    const auto listen = config::Listen::parse(name);
    return listen ? listen->endpoint.address : IpAddress();
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

void Supervisor::Impl::watch_addresses() {
    auto opened = io::AddressWatch::open(loop, [this] { look_at_addresses(); });
    if (opened) {
        address_watch = std::move(*opened);
    } else {
        log.problems(natkit::to_string(opened.error()) + "; they are looked at each second instead");
    }
    if (const auto host = io::host_addresses()) note_presence(*host);
    if (config::wants_sip(written) && config.sip.listen.empty()) {
        log.failures("no address yet: this host has none to listen on; SIP is served once it has");
    }
    look_again_in_time();
}

/// What came and went, a line for each address.
void Supervisor::Impl::note_presence(const std::vector<HostAddress>& host) {
    using Change = Presence::Change;
    for (const Presence::Event& event : presence.look(config.sip.listen, host)) {
        const std::string address = natkit::to_string(event.address);
        if (config.cluster.state) {  // they move
            log.major(address + (event.what == Change::back ? " has come to this host" : " is not this host's now"));
        } else if (event.what == Change::back) {
            log.major(address + " is an address of this host again");
        } else if (event.what == Change::left) {
            log.failures(address +
                         " is no longer an address of this host (interface down?): its side cannot be reached");
        } else {
            log.failures(address + " is no address of this host yet: its listeners wait for it");
        }
    }
}

void Supervisor::Impl::note_opened(const std::vector<std::string>& opened, const std::vector<Error>& problems) {
    std::map<IpAddress, std::vector<std::string>> by_address;
    for (const std::string& name : opened) by_address[address_of(name)].push_back(name);
    for (const auto& [address, names] : by_address) {
        log.major(natkit::to_string(address) + " is an address of this host now: listening on " + joined(names));
    }
    std::set<std::string> still;
    for (const Error& problem : problems) {
        const std::string text = natkit::to_string(problem);
        if (!unopened.contains(text)) log.failures(text + "; tried again");
        still.insert(text);
    }
    unopened = std::move(still);
}

void Supervisor::Impl::look_at_addresses() {
    if (stopping) return;
    const auto host = io::host_addresses();
    if (!host) return look_again_in_time();
    config::Config fresh = written;
    static_cast<void>(config::apply_host(fresh, *host));
    fresh.sip.listen = presence.with_gone(std::move(fresh.sip.listen), config.sip.listen, *host);
    const bool fits = fresh == config && !retell;
    config = std::move(fresh);
    const std::vector<std::string> absent = without_address();
    note_presence(*host);
    std::vector<Error> problems;
    auto change = listeners.prepare_what_can_be(config.sip.listen, problems);
    std::vector<std::string> opened;
    for (const auto& [name, socket] : change.fresh) opened.push_back(name);
    const bool same_sockets = opened.empty() && change.names == listeners.names();
    listeners.commit(std::move(change));
    note_opened(opened, problems);
    look_again_in_time();
    if (fits && same_sockets && absent == without_address()) return;
    tell_state();
    retell = false;
    tell_workers([this](const config::Problems& told) {
        for (const Error& problem : told) log.failures("addresses of this host: " + natkit::to_string(problem));
        if (!told.empty()) retell = true;
        look_again_in_time();
    });
}

/// An address that has come may take its time before a socket can have it (IPv6, RFC 4862 section 5.4), a port may be
/// somebody's, a worker may not have followed: nobody tells when that changes.
void Supervisor::Impl::look_again_in_time() {
    const bool due =
        std::ranges::any_of(listeners.waiting(), [this](const auto& name) { return presence.here(address_of(name)); });
    if (!address_watch || due) {
        address_timer.start_in(1s);
    } else if (retell) {
        address_timer.start_in(10s);
    } else {
        address_timer.stop();
    }
}

std::vector<std::string> Supervisor::Impl::without_address() const {
    std::vector<std::string> names = listeners.waiting();
    std::erase_if(names, [this](const std::string& name) { return presence.here(address_of(name)); });
    for (const std::string& name : listeners.names()) {
        if (!presence.here(address_of(name))) names.push_back(name);
    }
    return names;
}

}  // namespace natkit::supervise
