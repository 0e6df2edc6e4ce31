#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "natkit/cluster/replica_table.hpp"
#include "natkit/record/json_view.hpp"
#include "natkit/store/bindings.hpp"

/// A registration as another node gets it: the row of the store as an object (natkit-records(7)).
namespace natkit::edge {

/// The members that binding_replica() writes.
[[nodiscard]] std::span<const char* const> binding_members() noexcept;
[[nodiscard]] nlohmann::ordered_json binding_replica(const store::BindingRow& row);
/// What an older version has not written yet is as in a row of that version. Total: text that could get into a message
/// is good for one, and the id is that of the key.
[[nodiscard]] Result<store::BindingRow> read_binding_replica(std::string_view id, const record::ObjectView& record);

}  // namespace natkit::edge
