// JSON lines: what parses is written as one line that parses to the same; `sip` records keep their message.
//
// links: explain_engine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "natkit/engine/explain/input.hpp"
#include "natkit/record/sip.hpp"

using namespace natkit;

namespace {

void check_line(const std::string& line) {
    const auto json = record::parse_line(line);
    if (!json) return;
    const std::string written = record::to_line(*json);
    if (written.find('\n') != written.size() - 1) std::abort();
    const auto again = record::parse_line(written);
    if (!again || record::to_line(*again) != written) std::abort();
    const auto sip = record::read_sip(*json);
    if (!sip) return;
    auto copy = *json;
    record::set_message(copy, sip->message);
    const auto back = record::read_sip(copy);
    if (!back || back->message != sip->message) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto source = capture::ByteSource::of(std::string(reinterpret_cast<const char*>(data), size));
    explain::LineReader reader(source);
    for (;;) {
        const auto piece = reader.next();
        if (!piece || !*piece) return 0;
        check_line((*piece)->content);
    }
}
