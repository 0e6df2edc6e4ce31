// links: text
// What another node, or anybody else, has written into Redis as a replica: any bytes give an envelope or an error, and
// what was understood is understood again from our own text. The members that are kept make no record unreadable.
#include <cassert>
#include <cstdint>
#include <string_view>

#include "natkit/record/replica.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    record::ObjectReader reader;
    const auto read = record::parse_envelope(text, reader);
    if (!read) {
        assert(!read.error().message.empty());
        return 0;
    }
    assert(cluster::kind_of(read->key));
    const std::string written = read->gone ? record::gone_text(read->key, read->replica.version)
                                           : record::envelope_text(read->key, read->replica);
    assert(written.find('\n') == std::string::npos);  // one line of many
    const auto again = record::parse_envelope(written, reader);
    assert(again && again->key == read->key && again->gone == read->gone);
    assert(again->replica.version == read->replica.version && again->replica.record == read->replica.record);
    if (read->gone) return 0;
    const std::string members = record::other_members(read->replica.record, {"contact", "id"});
    const std::string merged = record::with_members(R"({"id":"1","contact":"x"})", members);
    assert(reader.read(merged));
    return 0;
}
