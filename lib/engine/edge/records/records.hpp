#pragma once

#include <nlohmann/json.hpp>

#include "../media/media.hpp"
#include "../output.hpp"
#include "../routing/request.hpp"
#include "natkit/record/json_text.hpp"
#include "natkit/record/json_view.hpp"
#include "natkit/store/bindings.hpp"

/// The JSON and the rows that sipedge speaks with others (natkit-records(7)).
namespace natkit::edge {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json reasons_json(const std::vector<nat::Reason>& reasons);
[[nodiscard]] Json nat_record(const sip::Flow& flow, const nat::Verdict& verdict);
[[nodiscard]] Json client_record(const sip::Binding& binding, const char* event, WallTime now);
/// { id, aor, source, before: { place, rule }, after: { place, rule } }
[[nodiscard]] Json place_change_record(const PlaceChange& change);
/// { lan, nated, nat_servers }: lists of ranges.
[[nodiscard]] Result<nat::Networks> read_networks(const Json& request);
[[nodiscard]] Json call_record(const Media::Summary& call, Now now);
[[nodiscard]] Json decision_record(const DecisionEvent& event);
[[nodiscard]] Json rewrite_record(const RewriteEvent& event);
[[nodiscard]] Json call_event_record(const CallEvent& event, Now now);

/// Requests to mediarelay, to be completed and closed.
[[nodiscard]] record::ObjectText open_request(const OpenLeg& request);
[[nodiscard]] record::ObjectText update_request(const UpdateLeg& request);
[[nodiscard]] Result<RelayLeg> read_leg(const record::ObjectView& reply);

[[nodiscard]] store::BindingRow to_row(const sip::Binding& binding);
[[nodiscard]] Result<sip::Binding> from_row(const store::BindingRow& row);

}  // namespace natkit::edge
