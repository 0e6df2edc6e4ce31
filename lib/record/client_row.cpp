#include "natkit/record/client_row.hpp"

#include <algorithm>
#include <string>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/text.hpp"
#include "natkit/nat/classify.hpp"

namespace natkit::record {
namespace {

constexpr std::size_t longest_call_id = 4096;
constexpr std::int64_t latest_ms = std::int64_t{1} << 50;  ///< of what milliseconds can be reckoned with
constexpr std::int64_t usual_ms = 3'600'000;               ///< of a registration whose beginning was not written

/// "udp:203.0.113.10:5060-198.51.100.7:40001": what stands before the dash is ours.
Result<void> read_flow(std::string_view flow, cluster::ClientRow& row) {
    const std::size_t colon = flow.find(':');
    const std::size_t dash = flow.find('-');
    if (colon == std::string_view::npos || dash == std::string_view::npos || dash < colon)
        return fail(Errc::bad_input, "not a flow: '" + text::printable(flow, 100) + "'", "flow");
    const auto transport = parse_transport(flow.substr(0, colon));
    if (!transport) return fail(Errc::bad_input, transport.error().message, "flow");
    const auto local = Endpoint::parse(flow.substr(colon + 1, dash - colon - 1));
    if (!local) return fail(Errc::bad_input, local.error().message, "flow");
    row.transport = *transport;
    row.local = local->address;
    return {};
}

std::optional<std::int64_t> time_of(const ObjectView& object, const char* name) {
    const auto found = object.find(name);
    const auto ms = found ? found->whole_number() : std::nullopt;
    return ms && *ms >= 0 && *ms <= latest_ms ? ms : std::nullopt;
}

}  // namespace

Result<cluster::ClientRow> parse_client_row(std::string_view record, std::int64_t clock_ms, ObjectReader& reader) {
    const auto object = reader.read(record);
    if (!object) return std::unexpected(object.error());
    cluster::ClientRow row;
    if (const auto flow = read_flow(object->string("flow").value_or(""), row); !flow)
        return std::unexpected(flow.error());
    const auto place = nat::parse_place(object->string("place").value_or(""));
    row.anywhere = place && *place != nat::Place::far_end;
    const auto call_id = object->string("call_id").value_or("");
    if (call_id.size() > longest_call_id) return fail(Errc::bad_input, "too long", "call_id");
    row.call_id = std::string(call_id);
    const auto cseq = object->find("cseq");
    row.cseq = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(cseq ? cseq->whole_number().value_or(0) : 0, 0, UINT32_MAX));
    const auto expires = time_of(*object, "expires_ms");
    if (!expires) return fail(Errc::bad_input, "not a time", "expires_ms");
    row.expires_ms = *expires - clock_ms;
    const auto registered = time_of(*object, "registered_ms");
    row.registered_ms = registered && *registered != 0 ? *registered - clock_ms : row.expires_ms - usual_ms;
    return row;
}

}  // namespace natkit::record
