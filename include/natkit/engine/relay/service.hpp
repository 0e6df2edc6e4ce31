#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "natkit/engine/control/server.hpp"
#include "natkit/engine/relay/engine.hpp"

namespace natkit::mediarelay {

/// The engine behind its control socket: mediarelay(1), CONTROL.
class Service {
  public:
    struct Hooks {
        std::function<Result<Options>()> reload;  ///< reads the configuration again
        std::function<void()> stop;
    };

    /// `socket` is the path of the control socket. Refused when another process serves it.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, Options options,
                                                                const std::string& socket, Hooks hooks);

    [[nodiscard]] Engine& engine() noexcept { return *engine_; }

  private:
    using Answer = Result<Json>;
    using Command = Answer (Service::*)(const Json& request);

    Service(io::Loop& loop, Hooks hooks) : loop_(loop), hooks_(std::move(hooks)), started_(loop.now()) {}
    void add_commands();

    Answer open(const Json& request);
    Answer reserve(const Json& request);
    Answer update(const Json& request);
    Answer join(const Json& request);
    Answer part(const Json& request);
    Answer free(const Json& request);
    Answer relay(const Json& request);
    Answer claim(const Json& request);
    Answer status(const Json& request);
    Answer reload(const Json& request);
    Answer stop(const Json& request);
    Answer log_level(const Json& request);
    void list(const Json& request, const control::Reply& reply);
    void show(const Json& request, const control::Reply& reply);

    [[nodiscard]] Result<OpenRequest> read_open(const Json& request, const std::string& where) const;
    [[nodiscard]] Result<relay::Party> read_party(const Json& object, relay::Stream stream) const;
    [[nodiscard]] Result<Json> with_place(Json party) const;

    io::Loop& loop_;
    Hooks hooks_;
    Instant started_;
    std::unique_ptr<control::Server> server_;
    std::unique_ptr<Engine> engine_;
    std::optional<Engine::Together> turn_;  ///< of the commands that came together: journalled before they are answered
};

}  // namespace natkit::mediarelay
