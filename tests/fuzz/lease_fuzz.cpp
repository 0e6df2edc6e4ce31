// What a node says of itself in Redis: any bytes give a value or an error, and a value is read again from our own text.
// links: text
#include <cassert>
#include <cstdint>
#include <string_view>

#include "natkit/record/lease.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    record::ObjectReader reader;
    const auto read = record::parse_lease({reinterpret_cast<const char*>(data), size}, reader);
    if (!read) {
        assert(!read.error().message.empty());
        return 0;
    }
    assert(!read->boot.empty() && read->addresses.size() <= cluster::most_lease_addresses);
    const auto again = record::parse_lease(record::lease_text(*read), reader);
    assert(again && *again == *read);
    return 0;
}
