#include "natkit/settings/change.hpp"

#include "natkit/base/text.hpp"
#include "natkit/settings/edit.hpp"
#include "natkit/settings/table.hpp"

namespace natkit::settings {
namespace {

using Entries = std::vector<ListEntry>;

}  // namespace

Result<std::string> with_changes(std::string_view text, std::span<const Change> changes) {
    std::string result(text);
    for (const Change& change : changes) {
        const Setting* setting = find(change.section, change.key);
        if (setting == nullptr) {
            return fail(Errc::bad_input, "no setting that can be changed here: " +
                                             text::printable(change.section + "." + change.key, 120));
        }
        Result<std::string> next;
        if (change.value) {
            const auto value = fitted(*setting, *change.value);
            if (!value) return std::unexpected(value.error());
            const auto* list = change.comments ? std::get_if<std::string>(&*change.value) : nullptr;
            next = list != nullptr && setting->kind == Kind::list
                       ? set_list(result, change.section, change.key, read_guide_list(*list))
                       : set_value(result, change.section, change.key, *value);
        } else {
            next = reset_value(result, change.section, change.key);
        }
        if (!next) return next;
        result = std::move(*next);
    }
    return result;
}

std::string summary(std::string_view before, std::string_view after) {
    if (before == after) return "nothing";
    std::string names;
    for (const Page& page : pages()) {
        for (const Setting& setting : page.settings) {
            const auto old = value_in(before, setting.section, setting.key);
            const auto fresh = value_in(after, setting.section, setting.key);
            const bool same = old ? fresh && *old == *fresh : !fresh;
            const auto comments = [&](std::string_view text) {
                return setting.kind == Kind::list ? list_in(text, setting.section, setting.key).value_or(Entries())
                                                  : Entries();
            };
            if (same && comments(before) == comments(after)) continue;
            names += (names.empty() ? "" : ", ") + std::string(setting.section) + "." + std::string(setting.key);
            if (same) names += " (comments)";
        }
    }
    return names.empty() ? "other parts of the file" : names;
}

}  // namespace natkit::settings
