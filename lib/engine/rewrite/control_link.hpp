#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::rewrite {

/// One question at a time to a mediarelay, answered before ask() returns.
class ControlLink {
  public:
    explicit ControlLink(const std::string& socket);

    /// The content of its answer. Errors: those of the command, Errc::system where it cannot be reached,
    /// Errc::timed_out after 5 s.
    [[nodiscard]] Result<nlohmann::ordered_json> ask(const char* command, const nlohmann::ordered_json& params);

  private:
    io::Loop loop_;
    control::Client client_;
    std::string why_ = "no answer";
    bool refused_ = false;  ///< the last attempt to connect failed
};

}  // namespace natkit::rewrite
