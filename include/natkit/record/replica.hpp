#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/cluster/replica_table.hpp"
#include "natkit/record/json_view.hpp"

/// Replicas as natkit-cluster writes them into Redis, and reads what another node's has written.
namespace natkit::record {

/// {"v":[EPOCH,SEQ],"c":CLOCK_MS,"key":"binding:…","record":{…}}
struct Envelope {
    std::string key;
    bool gone = false;  ///< "record":null
    cluster::Replica replica;
};

[[nodiscard]] std::string envelope_text(std::string_view key, const cluster::Replica& replica);
[[nodiscard]] std::string gone_text(std::string_view key, cluster::Version version);

/// Total; the error's `where` names the key. Members that are not known are left alone.
[[nodiscard]] Result<Envelope> parse_envelope(std::string_view text, ObjectReader& reader);

/// What a worker of a standby is asked by `replica` (natkit-records(7)). Good as long as the request is.
struct ReplicaRequest {
    bool begins = false;                ///< a whole set
    bool ends = false;                  ///< it: what was not named is gone
    std::chrono::milliseconds ahead{};  ///< the writer's time of day, of ours
    std::vector<ValueView> records;
};
/// Total; the error's `where` names the key.
[[nodiscard]] Result<ReplicaRequest> parse_replica_request(const ObjectView& request);

/// The members of a record whose names are not in this list (sorted), as texts that can stand in an object:
/// `"a":1,"b":{}`. Empty where there is none, or it is no object.
[[nodiscard]] std::string other_members(std::string_view record, const std::vector<std::string>& known);
/// The record with these members at its end.
[[nodiscard]] std::string with_members(std::string record, std::string_view members);

}  // namespace natkit::record
