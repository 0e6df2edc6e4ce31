#include "natkit/base/transport.hpp"

#include "natkit/base/text.hpp"

namespace natkit {

const char* to_string(Transport transport) noexcept {
    switch (transport) {
        case Transport::udp: return "udp";
        case Transport::tcp: return "tcp";
        case Transport::tls: return "tls";
    }
    return "unknown";
}

Result<Transport> parse_transport(std::string_view text) {
    for (const Transport transport : {Transport::udp, Transport::tcp, Transport::tls}) {
        if (text::iequals(text, to_string(transport))) return transport;
    }
    return fail(Errc::bad_input, "not a transport: '" + text::printable(text, 20) + "'; write udp, tcp or tls");
}

}  // namespace natkit
