#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "natkit/config/config.hpp"
#include "natkit/settings/change.hpp"
#include "store.hpp"

/// What the settings look like in records.
namespace natkit::settings {

/// The pages with their settings: what the text says, else what is in effect.
[[nodiscard]] Json pages_of(std::string_view text, const config::Config& running);

/// The changes of a request. `bad_input`: not a list of them.
[[nodiscard]] Result<std::vector<Change>> changes_of(const Json& request);

/// Newest first, without their texts; `hash` is that of the file.
[[nodiscard]] Json versions_of(const std::vector<Version>& versions, const std::string& hash);

[[nodiscard]] Json problems_of(const config::Problems& problems);
/// The keys that cannot change while natkit runs, of those problems.
[[nodiscard]] Json fixed_keys(const config::Problems& problems);
/// A sentence for each effect of a change: listeners that open and close, clients that change place.
[[nodiscard]] Json effects_in_words(const Json& preview);

}  // namespace natkit::settings
