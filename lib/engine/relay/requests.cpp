#include "requests.hpp"

#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/relay/service.hpp"

namespace natkit::mediarelay {
namespace {

constexpr std::size_t max_text = 512;

/// One of two words, or a default.
template <class Enum>
Result<Enum> choice(const Json& request, const char* key, Enum first, Enum second, Enum otherwise) {
    const auto given = text_of(request, key);
    if (!given) return std::unexpected(given.error());
    if (given->empty()) return otherwise;
    if (*given == to_string(first)) return first;
    if (*given == to_string(second)) return second;
    return fail(
        Errc::bad_input,
        "'" + text::printable(*given, 40) + "' is neither '" + to_string(first) + "' nor '" + to_string(second) + "'",
        key);
}

Result<relay::Stream> stream_of(const Json& request) {
    const auto given = text_of(request, "stream");
    if (!given) return std::unexpected(given.error());
    if (given->empty()) return relay::Stream::rtp;
    if (const auto stream = relay::parse_stream(*given)) return *stream;
    return fail(Errc::bad_input, "'" + text::printable(*given, 40) + "' is not one of 'rtp', 'udp', 'tcp', 't120'",
                "stream");
}

Result<unsigned> connections_of(const Json& request) {
    const auto found = request.find("connections");
    if (found == request.end()) return 1U;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 1000) {
        return must("connections", "must be a small number");
    }
    return found->get<unsigned>();
}

}  // namespace

std::unexpected<Error> must(const std::string& key, const char* what) {
    return fail(Errc::bad_input, what, key);
}

Result<std::string> text_of(const Json& request, const char* key, bool required) {
    const auto found = request.find(key);
    if (found == request.end()) {
        if (required) return must(key, "missing");
        return std::string();
    }
    if (!found->is_string() || found->get_ref<const std::string&>().size() > max_text) {
        return must(key, "must be a string of at most 512 bytes");
    }
    return found->get<std::string>();
}

Result<std::optional<bool>> flag_of(const Json& request, const char* key) {
    const auto found = request.find(key);
    if (found == request.end()) return std::optional<bool>();
    if (!found->is_boolean()) return must(key, "must be true or false");
    return std::optional<bool>(found->get<bool>());
}

Json with_port(const Json& party, relay::Stream stream) {
    Json full = party;
    const auto endpoint = full.find("endpoint");
    if (stream != relay::Stream::t120 || endpoint == full.end() || !endpoint->is_string()) return full;
    if (const auto address = IpAddress::parse(endpoint->get<std::string>())) {
        *endpoint = to_string(Endpoint{*address, relay::t120_port});
    }
    return full;
}

std::string owner_state_of(const Json& request) {
    const auto found = request.find("owner_state");
    return found == request.end() ? std::string() : found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add_default_setup(Json& open, bool offerer) {
    const auto stream = stream_of(open);
    const auto party = open.find("party");
    if (!stream || !relay::is_tcp(*stream) || party == open.end() || !party->is_object()) return;
    if (party->contains("setup")) return;
    (*party)["setup"] = sdp::to_string(relay::default_setup(*stream, offerer));
}

Result<relay::Party> Service::read_party(const Json& object, relay::Stream stream) const {
    if (!object.is_object()) return must("party", "must be an object");
    const bool whole = stream != relay::Stream::t120 && object.contains("place");
    const Result<Json> full = whole ? Json() : with_place(with_port(object, stream));
    if (!full) return std::unexpected(full.error());
    auto party = record::parse_party(whole ? object : *full);
    if (!party) return party;
    if (party->place == nat::Place::far_end && party->visible && !party->site) {
        party->site = nat::site_of(*party->visible, engine_->options().networks);
    }
    return party;
}

/// A script may leave to us what the configuration knows.
Result<Json> Service::with_place(Json party) const {
    if (party.contains("place")) return party;
    const auto address = [&](const char* key) -> std::optional<IpAddress> {
        const auto text = text_of(party, key);
        if (!text || text->empty()) return std::nullopt;
        if (const auto plain = IpAddress::parse(*text)) return *plain;
        const auto endpoint = Endpoint::parse(*text);
        return endpoint ? std::optional(endpoint->address) : std::nullopt;
    };
    const auto visible = address("visible");
    const auto known = visible ? visible : address("endpoint");
    if (!known) return must("party.place", "missing, and there is no address to tell it from");
    party["place"] = nat::to_string(nat::classify_address(*known, engine_->options().networks).place);
    if (party["place"] == "far-end" && !visible) party["visible"] = to_string(*known);
    return party;
}

Result<OpenRequest> Service::read_open(const Json& request, const std::string& where) const {
    OpenRequest open;
    const auto stream = stream_of(request);
    if (!stream) return std::unexpected(stream.error());
    const auto connections = connections_of(request);
    if (!connections) return std::unexpected(connections.error());
    if (const auto party = request.find("party"); party != request.end()) {
        auto parsed = read_party(*party, *stream);
        if (!parsed) return std::unexpected(parsed.error());
        open.party = *parsed;
    }
    const bool on_lan = open.party && open.party->place == nat::Place::lan;
    Family family = Family::ipv4;
    if (open.party) {
        const bool far = open.party->place == nat::Place::far_end;
        if (!far && open.party->endpoint) family = open.party->endpoint->address.family();
        if (far && open.party->visible) family = open.party->visible->family();
    }
    const auto side =
        choice(request, "side", relay::Side::lan, relay::Side::wan, on_lan ? relay::Side::lan : relay::Side::wan);
    const auto asked_family = choice(request, "family", Family::ipv4, Family::ipv6, family);
    const auto mux = flag_of(request, "mux");
    auto call_id = text_of(request, "call_id");
    auto owner = text_of(request, "owner");
    auto id = text_of(request, "id");
    if (!side) return std::unexpected(side.error());
    if (!asked_family) return std::unexpected(asked_family.error());
    if (!mux) return std::unexpected(mux.error());
    if (!call_id) return std::unexpected(call_id.error());
    if (!owner) return std::unexpected(owner.error());
    open.stream = *stream;
    open.side = *side;
    open.family = *asked_family;
    open.mux = mux->value_or(false);
    open.connections = *connections;
    open.call_id = std::move(*call_id);
    open.owner = std::move(*owner);
    open.owner_state = owner_state_of(request);
    if (id && !id->empty()) open.request = *id + where;
    return open;
}

}  // namespace natkit::mediarelay
