#include "natkit/proxy/authorise.hpp"

namespace natkit::proxy {

Sender sender_of(const Facts& facts) noexcept {
    if (facts.on_lan && facts.lan_trusted) return Sender::lan;
    if (facts.password || facts.own_flow) return Sender::user;
    return facts.from_server ? Sender::server : Sender::stranger;
}

bool must_prove(const Facts& facts) noexcept {
    return facts.users_kept && facts.claims_user && !facts.in_dialog && sender_of(facts) == Sender::stranger;
}

bool may_send(Sender sender, Destination destination) noexcept {
    switch (destination) {
        case Destination::edge:
        case Destination::registered:
        case Destination::home:
        case Destination::dialog: return true;
        case Destination::client: return sender != Sender::stranger;  // a server may be registered, too: a user then
        case Destination::trunk:
        case Destination::elsewhere: return sender == Sender::lan || sender == Sender::user;
        case Destination::inside: return sender == Sender::lan;
    }
    return false;
}

bool needs_password(Sender sender, Destination destination) noexcept {
    return sender == Sender::user && (destination == Destination::trunk || destination == Destination::elsewhere);
}

bool identities_trusted(Sender sender) noexcept {
    return sender == Sender::lan || sender == Sender::server;
}

}  // namespace natkit::proxy
