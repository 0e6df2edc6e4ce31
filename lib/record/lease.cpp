#include "natkit/record/lease.hpp"

#include <algorithm>

#include "natkit/record/json_text.hpp"

namespace natkit::record {

std::string lease_text(const cluster::LeaseValue& value) {
    std::string addresses = "[";
    for (const IpAddress& address : value.addresses) {
        if (addresses.size() > 1) addresses += ',';
        addresses += json_string(to_string(address));
    }
    addresses += ']';
    ObjectText out;
    out.text("boot", value.boot);
    out.raw("epoch", std::to_string(value.epoch));
    out.raw("addresses", addresses);
    return out.close();
}

Result<cluster::LeaseValue> parse_lease(std::string_view text, ObjectReader& reader) {
    const auto object = reader.read(text);
    if (!object) return std::unexpected(object.error());
    cluster::LeaseValue value;
    value.boot = std::string(object->string("boot").value_or(""));
    if (value.boot.empty() || value.boot.size() > cluster::longest_boot)
        return fail(Errc::bad_input, "not what tells one host from another", "boot");
    const auto epoch = object->find("epoch");
    const auto number = epoch ? epoch->number() : std::nullopt;
    if (!number) return fail(Errc::bad_input, "not a number", "epoch");
    value.epoch = *number;
    const auto addresses = object->find("addresses");
    const auto list = addresses ? addresses->list() : std::nullopt;
    if (!list || list->size() > cluster::most_lease_addresses)
        return fail(Errc::bad_input, "not a list, or too long", "addresses");
    for (const ValueView& one : *list) {
        const auto address = IpAddress::parse(one.string().value_or(""));
        if (!address) return fail(Errc::bad_input, address.error().message, "addresses");
        if (std::ranges::find(value.addresses, *address) == value.addresses.end()) value.addresses.push_back(*address);
    }
    return value;
}

}  // namespace natkit::record
