// Bencode: what is read and written again is read as the same, and written as the same; a request is read from it
// without end of memory or time.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "natkit/ng/bencode.hpp"
#include "natkit/ng/framing.hpp"
#include "natkit/ng/request.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto frame = ng::frame_length(text);
    require(frame.state != ng::FrameLength::State::complete || (frame.length > 0 && frame.length <= text.size()));
    ng::Framed framed;
    require(!ng::read_frame(text, framed) || framed.cookie.size() + framed.body.size() <= text.size());
    (void)ng::line_length(text);

    const auto value = ng::parse_bencode(text);
    if (!value) {
        require(value.error().where.starts_with("byte "));
        return 0;
    }
    const ng::Dictionary* message = value->dictionary();
    if (message == nullptr) return 0;
    // An empty one alone might be the beginning of a cookie.
    require(frame.state == ng::FrameLength::State::complete ? frame.length == text.size()
                                                            : text.size() > ng::max_message || message->empty());
    const std::string written = ng::to_bencode(*message);
    require(written.size() <= text.size());
    const auto again = ng::parse_bencode(written);
    require(again.has_value() && *again == *value && ng::to_bencode(*again->dictionary()) == written);

    const auto request = ng::read_request(*message);
    if (!request) {
        require(!request.error().message.empty());
        return 0;
    }
    require(request->warnings.size() <= 17);
    require(request->wishes.direction.empty() || request->wishes.direction.size() == 2);
    const bool sets_up = request->command == ng::Command::offer || request->command == ng::Command::answer;
    require(sets_up || request->refusal.empty());
    require(!sets_up || (!request->call_id.empty() && !request->from_tag.empty() && !request->sdp.empty()));
    return 0;
}
