// links: control text
// Lines of the control protocol and the objects in them: any bytes give a request or an error, and what was read is
// written back the same.
#include <cassert>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "../../lib/engine/control/protocol.hpp"
#include "natkit/record/relay.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    record::ObjectReader reader;
    record::ObjectReader other;
    const auto request = control::parse_request(reader, line);
    if (!request) {
        assert(!request.error().message.empty());
        (void)control::error_reply({}, request.error());
        return 0;
    }
    // A request that is written again is read the same.
    const auto again = control::parse_request(other, request->body.text());
    assert(again && again->id == request->id && again->command == request->command);
    assert(again->descriptors == request->descriptors && again->brief == request->brief);

    if (const auto party = record::parse_party(request->body)) {
        const std::string text = control::dump(record::to_json(*party));
        const auto same = record::parse_party(*other.read(text));
        assert(same && *same == *party);
    }
    if (const auto leg = record::parse_leg(request->body)) {
        const auto same = record::parse_leg(*other.read(record::journal_text(*leg)));
        assert(same && *same == *leg);
    }
    if (const auto error = request->body.find("error")) (void)control::read_error(*error);
    return 0;
}
