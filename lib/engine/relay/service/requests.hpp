#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/engine/relay/engine.hpp"

/// How the keys of a control request are read. Total; an error's `where` is the key.
namespace natkit::relay {

[[nodiscard]] std::unexpected<Error> must(const std::string& key, const char* what);
/// A string of at most 512 bytes; empty when it is missing and need not be there.
[[nodiscard]] Result<std::string> text_of(const record::ObjectView& request, const char* key, bool required = false);
[[nodiscard]] Result<std::optional<bool>> flag_of(const record::ObjectView& request, const char* key);
/// Of two parties `a` is the one that offers: by RFC 4145 section 4 it connects and the other listens; with T.120,
/// which has no a=setup, it is the other way round.
void add_default_setup(Json& open, bool offerer);

/// The record of a leg's change for another node: `text` is what the journal keeps; null: the leg is gone.
[[nodiscard]] std::string replica_line(const std::string& leg, const std::string* text);

}  // namespace natkit::relay
