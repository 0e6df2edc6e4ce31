#include "neighbours.hpp"

#include "natkit/nat/networks.hpp"

namespace natkit::edge {

bool Neighbours::alive(const sip::Flow& flow) const {
    return settings_.find(flow.transport, flow.local) != nullptr &&
           (flow.connection == 0 || connections_.contains(flow.connection));
}

proxy::Sender Neighbours::kind_of(const sip::Flow& flow) const {
    if (settings_.lan_trusted && settings_.networks.lan.contains(flow.remote.address)) return proxy::Sender::lan;
    if (is_server(flow)) return proxy::Sender::server;
    return registrar_.on_flow(flow) != nullptr ? proxy::Sender::user : proxy::Sender::stranger;
}

sip::Share Neighbours::share_of(proxy::Sender sender, bool in_dialog) const {
    if (settings_.open_registrar) return sip::Share::lan;
    switch (sender) {
        case proxy::Sender::lan: return sip::Share::lan;
        case proxy::Sender::user: return sip::Share::user;
        case proxy::Sender::server: return sip::Share::party;
        case proxy::Sender::stranger: break;
    }
    return in_dialog ? sip::Share::party : sip::Share::stranger;
}

bool Neighbours::trusted(const sip::Flow& flow, const nat::Verdict& verdict) const {
    return (verdict.place == nat::Place::lan && settings_.lan_trusted) || is_server(flow) || settings_.by_peer(flow);
}

std::string Neighbours::site_text(const sip::Flow& flow) const {
    const IpAddress& address = flow.remote.address;
    const IpRange site = nat::site_of(address, settings_.networks);
    if (site.first() != site.last()) return to_string(site);
    return to_string(nat::source_of(address));
}

std::string Neighbours::host_port(const sip::Flow& flow) const {
    const Listener* listener = settings_.find(flow.transport, flow.local);
    return to_string(listener == nullptr ? flow.local : listener->advertised);
}

}  // namespace natkit::edge
