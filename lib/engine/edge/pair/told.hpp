#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "../peers/foreign.hpp"
#include "natkit/record/replica.hpp"
#include "natkit/store/bindings.hpp"

namespace natkit::edge {

/// What natkit-cluster tells of the clients of all nodes by `clients` (natkit-records(7)): which are another node's,
/// and which have become this one's.
class ToldClients {
  public:
    struct Handlers {
        /// Its times become this host's.
        std::function<Result<sip::Binding>(store::BindingRow& row, std::chrono::milliseconds ahead)> read;
        std::function<Result<void>(ForeignClient client)> set_foreign;
        std::function<Result<void>(sip::Binding binding)> take_over;
        std::function<void(const std::string& id)> forget;
        std::function<std::vector<std::string>()> foreign_ids;
    };

    explicit ToldClients(Handlers handlers) : handlers_(std::move(handlers)) {}
    ToldClients(const ToldClients&) = delete;
    ToldClients& operator=(const ToldClients&) = delete;

    /// `node` is this one. The answer: {"refused":[{"key","why"},…]}.
    [[nodiscard]] std::string on_request(const record::ReplicaRequest& request, std::string_view node);

  private:
    [[nodiscard]] Result<void> take(const record::ObjectView& one, std::chrono::milliseconds ahead,
                                    std::string_view node);

    Handlers handlers_;
    std::optional<std::unordered_set<std::string>> named_;  ///< foreign ones, since the beginning of a whole set
};

}  // namespace natkit::edge
