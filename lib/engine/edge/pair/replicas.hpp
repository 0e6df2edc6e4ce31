#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "natkit/engine/control/server.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/record/replica.hpp"
#include "natkit/sip/registrar.hpp"
#include "natkit/store/bindings.hpp"

namespace natkit::edge {

/// What is answered of a record that is not taken: {"key","why"}.
[[nodiscard]] std::string refusal_text(std::string_view key, const Error& why);

/// What a standby takes over of the active node's registrations, as natkit-cluster brings it.
class Replicas {
  public:
    struct Handlers {
        std::function<Result<sip::Binding>(store::BindingRow& row)> read;  ///< its times become this host's
        std::function<void(sip::Binding binding)> replace;
        std::function<void(const std::string& id)> forget;
        std::function<std::vector<std::string>(const std::function<bool(const sip::Binding&)>&)> ids_if;
        /// What has changed is kept for a restart.
        std::function<void(std::span<const store::BindingRow> saved, std::span<const std::string> removed)> keep;
    };

    Replicas(io::Loop& loop, Handlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}
    Replicas(const Replicas&) = delete;
    Replicas& operator=(const Replicas&) = delete;

    void on_request(const record::ReplicaRequest& request, const control::Reply& reply);
    /// The node has become active: a whole set that has not come to its end drops nothing.
    void stop();

  private:
    using Named = std::unordered_set<std::string>;
    struct Changes {
        std::vector<store::BindingRow> saved;
        std::vector<std::string> removed;
    };

    [[nodiscard]] Result<void> take(const record::ObjectView& one, Changes& changes);
    void drop_some(std::vector<std::string> ids, std::string answer, const control::Reply& reply, unsigned run);

    io::Loop& loop_;
    Handlers handlers_;
    std::optional<Named> named_;  ///< since the beginning of a whole set
    unsigned run_ = 0;            ///< of dropping what a whole set has not named
};

}  // namespace natkit::edge
