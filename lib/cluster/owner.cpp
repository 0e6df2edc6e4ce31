#include "natkit/cluster/owner.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::cluster {
namespace {

constexpr std::size_t longest_name = 512;

using Fields = std::span<const std::pair<std::string_view, std::string_view>>;

std::optional<std::string_view> find(Fields fields, std::string_view name) {
    const auto found = std::ranges::find(fields, name, [](const auto& field) { return field.first; });
    return found == fields.end() ? std::nullopt : std::optional(found->second);
}

Result<std::uint64_t> number(Fields fields, const char* name) {
    const auto text = find(fields, name);
    const auto number = text ? text::parse_number(*text, UINT64_MAX) : std::nullopt;
    if (!number) return fail(Errc::bad_input, "not a number: '" + text::printable(text.value_or(""), 40) + "'", name);
    return *number;
}

bool is_name(std::string_view text, std::size_t longest) {
    const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
    return !text.empty() && text.size() <= longest && std::ranges::all_of(text, visible);
}

Result<std::string> name(Fields fields, const char* field, std::size_t longest) {
    const std::string_view text = find(fields, field).value_or("");
    if (!is_name(text, longest)) return fail(Errc::bad_input, "not a name: '" + text::printable(text, 40) + "'", field);
    return std::string(text);
}

}  // namespace

Result<std::optional<Owner>> parse_owner(Fields fields) {
    if (fields.empty()) return std::nullopt;
    Owner owner;
    const auto version = number(fields, "version");
    if (!version) return std::unexpected(version.error());
    owner.version = *version;
    if (owner.version > format) {
        return fail(Errc::refused,
                    "format " + std::to_string(owner.version) + " of a newer natkit; this one knows up to " +
                        std::to_string(format),
                    "version");
    }
    const auto epoch = number(fields, "epoch");
    if (!epoch) return std::unexpected(epoch.error());
    owner.epoch = *epoch;
    auto node = name(fields, "node", longest_node);
    if (!node) return std::unexpected(node.error());
    owner.node = std::move(*node);
    auto stream = name(fields, "stream", longest_name);
    if (!stream) return std::unexpected(stream.error());
    owner.stream = std::move(*stream);
    if (const auto state = find(fields, "state"); state && !state->empty()) {
        if (!is_name(*state, longest_name)) return fail(Errc::bad_input, "not a name", "state");
        owner.state = std::string(*state);
    }
    if (const auto after = find(fields, "after"); after && !after->empty()) {
        const auto id = StreamId::parse(*after);
        if (!id) return fail(Errc::bad_input, "not the id of an entry", "after");
        owner.after = *id;
    }
    return owner;
}

Names::Names(std::string_view group, std::string_view node)
    : prefix_("natkit:" + std::string(group) + ":"), node_(node) {
    owner = prefix_ + "owner";
    nodes = prefix_ + "nodes";
    stream = stream_of(node);
}

Names Names::of_several(std::string_view group, std::string_view node) {
    Names names(group, node);
    names.owner += ":" + names.node_;
    return names;
}

std::string Names::state(std::uint64_t number) const {
    return prefix_ + "state:" + node_ + ":" + std::to_string(number);
}

std::string Names::stream_of(std::string_view node) const {
    return prefix_ + "stream:" + std::string(node);
}

std::string Names::lease() const {
    return prefix_ + "lease:" + node_;
}

}  // namespace natkit::cluster
