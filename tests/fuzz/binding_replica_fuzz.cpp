// Registrations as another node has written them: any object gives a row or an error, and a row is read again.
// links: edge_engine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/edge/records/records.hpp"
#include "engine/edge/records/replica.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    record::ObjectReader reader;
    const auto object = reader.read({reinterpret_cast<const char*>(data), size});
    if (!object) return 0;
    const std::string id(object->string("id").value_or(""));
    const auto row = edge::read_binding_replica(id, *object);
    if (!row) return 0;
    (void)edge::from_row(*row);
    if (row->contact.find_first_of("\r\n") != std::string::npos) std::abort();
    const std::string text = edge::binding_replica(*row).dump(-1, ' ', false, nlohmann::json::error_handler_t::strict);
    record::ObjectReader other;
    const auto again = edge::read_binding_replica(id, other.read(text).value());
    if (!again || *again != *row) std::abort();
    return 0;
}
