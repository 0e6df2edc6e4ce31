// HEP datagrams: what is read lies within the bytes, can be written and read again, and the decoder takes it.
//
// links: capture
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "natkit/capture/decoder.hpp"
#include "natkit/hep/packet.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto packet = hep::read({data, size});
    if (packet && !packet->payload.empty()) {
        const std::uint8_t* begin = packet->payload.data();
        if (begin < data || begin + packet->payload.size() > data + size) std::abort();
    }
    if (packet) {
        static std::array<std::uint8_t, 65'535> room;
        const auto again = hep::read(std::span(room).first(hep::write(*packet, room)));
        if (!again || again->source != packet->source || again->destination != packet->destination ||
            again->content != packet->content)
            std::abort();
    }
    capture::Decoder decoder;
    const auto datagram = decoder.decode({.frame = 1, .link_type = capture::link_type_hep, .bytes = {data, size}});
    if (datagram &&
        (!packet || datagram->source != packet->source || (datagram->payload.size() > size && !packet->compressed)))
        std::abort();
    return 0;
}
