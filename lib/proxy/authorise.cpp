#include "natkit/proxy/authorise.hpp"

namespace natkit::proxy {

bool may_send(Sender sender, Destination destination) noexcept {
    switch (destination) {
        case Destination::edge:
        case Destination::registered:
        case Destination::dialog: return true;
        case Destination::elsewhere: return sender == Sender::lan || sender == Sender::registered;
        case Destination::inside: return sender == Sender::lan;
    }
    return false;
}

}  // namespace natkit::proxy
