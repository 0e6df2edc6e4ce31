// rtpproxy's lines: white space around them changes nothing, and nothing is read that the line does not hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "natkit/rtpproxy/command.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto command = rtpproxy::parse_command(text);
    if (size < 8000) require(rtpproxy::parse_command(" " + std::string(text) + "\r\n") == command);
    if (!command) {
        require(!command.error().message.empty() && command.error().number >= 0 && command.error().number < 100);
        return 0;
    }
    using enum rtpproxy::Verb;
    const bool of_a_call =
        command->verb == update || command->verb == lookup || command->verb == remove || command->verb == query;
    require(of_a_call != command->call_id.empty());
    require(text.find(command->call_id) != std::string_view::npos);
    require(text.find(command->from.text) != std::string_view::npos);
    require(!command->remote || (!command->on_hold && command->remote->address.family() == command->family));
    require(command->interfaces.size() <= 2 && command->counters.size() <= 32);
    return 0;
}
