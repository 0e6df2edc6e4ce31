#include "replica.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/sip/message/grammar.hpp"

namespace natkit::edge {
namespace {

using store::BindingRow;

struct TextMember {
    const char* name;
    std::string BindingRow::* member;
};
constexpr std::array text_members = {
    TextMember{"id", &BindingRow::id},           TextMember{"aor", &BindingRow::aor},
    TextMember{"contact", &BindingRow::contact}, TextMember{"instance", &BindingRow::instance},
    TextMember{"flow", &BindingRow::flow},       TextMember{"place", &BindingRow::place},
    TextMember{"rule", &BindingRow::rule},       TextMember{"site", &BindingRow::site},
    TextMember{"call_id", &BindingRow::call_id}, TextMember{"user_agent", &BindingRow::user_agent},
    TextMember{"server", &BindingRow::server}};
constexpr std::array all_members = {"id",   "aor",  "contact",       "instance",   "flow",         "place",
                                    "rule", "site", "call_id",       "user_agent", "server",       "expires_ms",
                                    "cseq", "q",    "authenticated", "reached",    "registered_ms"};
constexpr std::size_t id_digits = 16;
constexpr std::size_t longest_text = 4096;

bool is_id(std::string_view id) {
    return id.size() == id_digits && id.find_first_not_of(text::hex_digits) == std::string_view::npos;
}

/// Line ends, and other bytes that nobody types.
bool has_controls(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

std::span<const char* const> binding_members() noexcept {
    return all_members;
}

nlohmann::ordered_json binding_replica(const BindingRow& row) {
    nlohmann::ordered_json record = nlohmann::ordered_json::object();
    for (const TextMember& each : text_members) record[each.name] = row.*each.member;
    record["expires_ms"] = row.expires_ms;
    record["registered_ms"] = row.registered_ms;
    record["cseq"] = row.cseq;
    record["q"] = row.q;
    record["authenticated"] = row.authenticated;
    record["reached"] = row.reached;
    return record;
}

Result<BindingRow> read_binding_replica(std::string_view id, const record::ObjectView& record) {
    BindingRow row;
    for (const TextMember& each : text_members) {
        const auto text = record.string(each.name).value_or("");
        if (text.size() > longest_text || has_controls(text))
            return fail(Errc::bad_input, "too long, or control characters in it", each.name);
        row.*each.member = text;
    }
    if (!is_id(id) || row.id != id) return fail(Errc::bad_input, "not the id of the key", "id");
    if (row.aor.empty()) return fail(Errc::bad_input, "missing", "aor");
    const auto contact = sip::Uri::parse(row.contact);
    if (!contact || (contact->scheme != "sip" && contact->scheme != "sips"))
        return fail(Errc::bad_input, "not a SIP URI", "contact");
    const auto number = [&](const char* name) {
        const auto found = record.find(name);
        return found ? found->whole_number() : std::nullopt;
    };
    const auto flag = [&](const char* name, bool otherwise) {
        const auto found = record.find(name);
        return found ? found->flag().value_or(otherwise) : otherwise;
    };
    constexpr std::int64_t latest = std::int64_t{1} << 50;  // of what milliseconds can be reckoned with
    const auto time = [&](const char* name) {
        return number(name).and_then(
            [](std::int64_t ms) { return ms < 0 || ms > latest ? std::nullopt : std::optional(ms); });
    };
    const auto expires = time("expires_ms");
    if (!expires) return fail(Errc::bad_input, "not a time", "expires_ms");
    row.expires_ms = *expires;
    row.registered_ms = time("registered_ms").value_or(0);
    row.cseq = static_cast<std::uint32_t>(std::clamp<std::int64_t>(number("cseq").value_or(0), 0, 0xffffffff));
    row.q = static_cast<int>(std::clamp<std::int64_t>(number("q").value_or(1000), 0, 1000));
    row.authenticated = flag("authenticated", false);
    row.reached = flag("reached", true);
    return row;
}

}  // namespace natkit::edge
