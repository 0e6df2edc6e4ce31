// Framing: what comes out of a byte stream does not depend on how it was cut, and stays within its bounds.
// links: sip
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "natkit/sip/message/framing.hpp"

using namespace natkit;

namespace {

struct Outcome {
    std::string text;
    bool refused = false;
};

/// The first byte of the input says how its rest is cut.
Outcome run(std::string_view stream, std::size_t piece) {
    sip::Framer framer;
    Outcome outcome;
    while (!stream.empty()) {
        std::vector<sip::Framed> out;
        const bool fed = framer.feed(stream.substr(0, piece), out).has_value();
        for (const sip::Framed& one : out) {
            if (one.bytes.size() > sip::Framer::max_header + sip::Framer::max_body) std::abort();
            outcome.text += one.kind == sip::Framed::Kind::ping ? std::string("\x01") : "\x02" + one.bytes;
        }
        if (!fed) {
            outcome.refused = true;
            break;
        }
        stream.remove_prefix(std::min(piece, stream.size()));
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = run(stream, stream.size());
    const Outcome cut = run(stream, 1 + data[0]);
    if (whole.text != cut.text || whole.refused != cut.refused) std::abort();
    return 0;
}
