#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "natkit/config/config.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::settings {

/// The commands by which the file is changed while natkit runs (natkit-records(7), CONTROL): looks at it, tries a
/// change dry, makes it, and undoes it unless the session that made it confirms within a minute.
class Service {
  public:
    /// What natkit does for it.
    struct Host {
        std::function<const config::Config&()> running;
        std::function<void(std::function<void(const config::Problems&)> done)> reload;
        /// What a reload with this text would do, as `reload` with `dry_run` answers, or what is wrong.
        std::function<void(const std::string& text,
                           std::function<void(std::expected<nlohmann::ordered_json, config::Problems>)> done)>
            preview;
    };

    Service(io::Loop& loop, const daemon::Configuration& source, std::string folder, log::Logger log, Host host);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    void serve(control::Server& server);
    /// The version that waits to be confirmed.
    [[nodiscard]] std::optional<unsigned> unconfirmed() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::settings
