#pragma once

#include <memory>
#include <optional>

#include "../routing/secrets.hpp"
#include "natkit/config/cluster_keys.hpp"

namespace natkit::edge {

/// What the core needs besides time, by keys that may be replaced while it works: what is made is made with the first,
/// and what was made with either is read.
class Keys {
  public:
    explicit Keys(const config::ClusterKeys& keys);
    /// What a node of a cluster has in its file; else this node's own key, made where there is none. It must outlive
    /// the process whatever the configuration, for calls do: they hold tokens, and end by them. It lies beside the
    /// state; with a state in memory, among what natkit keeps as long as it runs.
    [[nodiscard]] static Result<Keys> load(const config::Config& config, const std::string& runtime_dir, WallTime now);

    /// Takes effect in all that secrets() has given. What is not a cluster's key stays as it is.
    [[nodiscard]] Result<void> load_again(const config::Config& config);
    [[nodiscard]] Secrets secrets() const;

  private:
    struct Made;
    std::shared_ptr<Made> made_;
    bool of_cluster_ = false;
    std::optional<WallTime> encrypts_since_;
};

}  // namespace natkit::edge
