#include "requests.hpp"

#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/relay/service.hpp"

namespace natkit::relay {
namespace {

constexpr std::size_t max_text = 512;

/// One of two words, or a default.
template <class Enum>
Result<Enum> choice(const record::ObjectView& request, const char* key, Enum first, Enum second, Enum otherwise) {
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

Result<Stream> stream_of(const record::ObjectView& request) {
    const auto given = text_of(request, "stream");
    if (!given) return std::unexpected(given.error());
    if (given->empty()) return Stream::rtp;
    if (const auto stream = parse_stream(*given)) return *stream;
    return fail(Errc::bad_input, "'" + text::printable(*given, 40) + "' is not one of 'rtp', 'udp', 'tcp', 't120'",
                "stream");
}

Result<unsigned> connections_of(const record::ObjectView& request) {
    const auto found = request.find("connections");
    if (!found) return 1U;
    const auto count = found->number();
    if (!count || *count > 1000) return must("connections", "must be a small number");
    return static_cast<unsigned>(*count);
}

Result<std::optional<std::uint8_t>> tos_of(const record::ObjectView& request) {
    const auto found = request.find("tos");
    if (!found) return std::optional<std::uint8_t>();
    const auto tos = found->number();
    if (!tos || *tos > 255) return must("tos", "must be a number from 0 to 255");
    return static_cast<std::uint8_t>(*tos);
}

}  // namespace

std::unexpected<Error> must(const std::string& key, const char* what) {
    return fail(Errc::bad_input, what, key);
}

Result<std::string> text_of(const record::ObjectView& request, const char* key, bool required) {
    const auto found = request.find(key);
    if (!found) {
        if (required) return must(key, "missing");
        return std::string();
    }
    const auto text = found->string();
    if (!text || text->size() > max_text) return must(key, "must be a string of at most 512 bytes");
    return std::string(*text);
}

Result<std::optional<bool>> flag_of(const record::ObjectView& request, const char* key) {
    const auto found = request.find(key);
    if (!found) return std::optional<bool>();
    const auto flag = found->flag();
    if (!flag) return must(key, "must be true or false");
    return flag;
}

void add_default_setup(Json& open, bool offerer) {
    const auto name = open.find("stream");
    const auto stream =
        name != open.end() && name->is_string() ? parse_stream(name->get_ref<const std::string&>()) : std::nullopt;
    const auto party = open.find("party");
    if (!stream || !is_tcp(*stream) || party == open.end() || !party->is_object()) return;
    if (party->contains("setup")) return;
    (*party)["setup"] = sdp::to_string(default_setup(*stream, offerer));
}

Result<Party> Service::read_party(const record::ValueView& value, Stream stream) const {
    auto object = value.object();
    if (!object) return must("party", "must be an object");
    std::optional<record::ObjectReader> reader;  // of the party as it is after the additions
    if (stream == Stream::t120 || !object->contains("place")) {
        const auto full = completed(*object, stream);
        if (!full) return std::unexpected(full.error());
        const auto again = reader.emplace().read(*full);
        if (!again) return std::unexpected(again.error());
        object = *again;
    }
    auto party = record::parse_party(*object);
    if (!party) return party;
    if (party->place == nat::Place::far_end && party->visible && !party->site) {
        party->site = nat::site_of(*party->visible, engine_->options().networks);
    }
    return party;
}

/// A script may leave to us what the configuration knows, and T.120's own port. The text of the whole party.
Result<std::string> Service::completed(const record::ObjectView& given, Stream stream) const {
    Json party = Json::parse(given.text(), nullptr, false);
    if (const auto endpoint = given.string("endpoint"); endpoint && stream == Stream::t120) {
        if (const auto address = IpAddress::parse(*endpoint))
            party["endpoint"] = to_string(Endpoint{*address, t120_port});
    }
    if (given.contains("place")) return party.dump();
    const auto address = [&](const char* key) -> std::optional<IpAddress> {
        const auto text = given.string(key);
        if (!text) return std::nullopt;
        if (const auto plain = IpAddress::parse(*text)) return *plain;
        const auto endpoint = Endpoint::parse(*text);
        return endpoint ? std::optional(endpoint->address) : std::nullopt;
    };
    const auto visible = address("visible");
    const auto known = visible ? visible : address("endpoint");
    if (!known) return must("party.place", "missing, and there is no address to tell it from");
    party["place"] = nat::to_string(nat::classify_address(*known, engine_->options().networks).place);
    if (party["place"] == "far-end" && !visible) party["visible"] = to_string(*known);
    return party.dump();
}

Result<OpenRequest> Service::read_open(const record::ObjectView& request, const std::string& where) const {
    OpenRequest open;
    const auto stream = stream_of(request);
    if (!stream) return std::unexpected(stream.error());
    const auto connections = connections_of(request);
    if (!connections) return std::unexpected(connections.error());
    const auto tos = tos_of(request);
    if (!tos) return std::unexpected(tos.error());
    if (const auto party = request.find("party")) {
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
    const auto side = choice(request, "side", Side::lan, Side::wan, on_lan ? Side::lan : Side::wan);
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
    open.tos = *tos;
    open.call_id = std::move(*call_id);
    open.owner = std::move(*owner);
    open.owner_state = request.text_of("owner_state");
    if (id && !id->empty()) open.request = *id + where;
    return open;
}

}  // namespace natkit::relay
