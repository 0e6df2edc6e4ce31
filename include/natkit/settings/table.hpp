#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/settings/value.hpp"

namespace natkit::settings {

enum class Kind : std::uint8_t { flag, number, duration, text, choice, list };
[[nodiscard]] const char* to_string(Kind kind) noexcept;  ///< "bool", "number", …

/// A setting that may be changed from elsewhere than an editor: those that the guide has pages for. Never paths, users,
/// what opens the registrar to anybody, or what natkit itself lives by.
struct Setting {
    std::string_view section;  ///< "media_proxy.addresses"
    std::string_view key;
    std::string_view guide;  ///< its name on the guide's pages, or one in their manner
    std::string_view help;   ///< a sentence
    std::string_view of;     ///< what a list holds: "ranges", "addresses", "listen", "names", "ranges-or-names"
    std::span<const std::string_view> choices;
    std::string_view host_default;  ///< where the default depends on the host: what it is
    Kind kind{};
    bool off = false;  ///< a duration that may be "off"
};

/// The settings of one page.
struct Page {
    std::string_view name;   ///< "network"
    std::string_view guide;  ///< its title there
    std::span<const Setting> settings;
};

[[nodiscard]] std::span<const Page> pages() noexcept;
/// Null: not one of them.
[[nodiscard]] const Setting* find(std::string_view section, std::string_view key) noexcept;

/// A given value as the kind of the setting: a list also as one text in the guide's form, a number or a switch also as
/// a text. Whether natkit takes it is not looked at. `bad_input`: nothing of this kind.
[[nodiscard]] Result<Value> fitted(const Setting& setting, const Value& given);

}  // namespace natkit::settings
