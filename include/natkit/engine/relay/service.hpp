#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/engine/control/server.hpp"
#include "natkit/engine/relay/engine.hpp"

namespace natkit::relay {

/// The engine behind its control socket: mediarelay(1), CONTROL.
class Service {
  public:
    struct Hooks {
        std::function<Result<Options>()> reload;  ///< reads the configuration again
        std::function<void()> stop;
        /// Of proxies that are served beside the control socket: a page (control::Page) of `call` records of the calls
        /// after that Call-ID, and no new ones. Null: there are none.
        std::function<Json(const std::string& after)> calls = nullptr;
        std::function<void()> drain = nullptr;
        /// Of a node of a cluster: it serves now; it has become a standby, for which the process is to begin anew.
        std::function<void()> activated = nullptr;
        std::function<void()> stepped_down = nullptr;
    };

    /// `socket` is the path of the control socket. Refused when another process serves it.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, Options options,
                                                                const std::string& socket, Hooks hooks);

    [[nodiscard]] Engine& engine() noexcept { return *engine_; }
    /// To those that watch; nobody: it need not be made.
    void publish(const Json& record) { server_->publish(record); }
    [[nodiscard]] bool watched(std::string_view type) const noexcept { return server_->watched(type); }

  private:
    using View = record::ObjectView;
    using Answer = Result<Json>;
    using TextAnswer = Result<std::string>;  ///< the text of an object, for what is asked often
    using Command = Answer (Service::*)(const Json& request);
    using QuickCommand = TextAnswer (Service::*)(const View& request);

    Service(io::Loop& loop, Hooks hooks) : loop_(loop), hooks_(std::move(hooks)), started_(loop.now()) {}
    void add_commands();

    TextAnswer open(const View& request);
    TextAnswer reserve(const View& request);
    TextAnswer update(const View& request);
    TextAnswer join(const View& request);
    TextAnswer part(const View& request);
    TextAnswer free(const View& request);
    void free_and_tell(const View& request, const control::Reply& reply);
    Answer relay(const Json& request);
    TextAnswer claim(const View& request);
    Answer status(const Json& request);
    Answer reload(const Json& request);
    Answer stop(const Json& request);
    Answer calls(const Json& request);
    Answer drain(const Json& request);
    TextAnswer log_level(const View& request);
    // cluster.cpp
    void add_cluster_commands();
    Answer role(const Json& request);
    Answer replicas(const Json& request);
    void replica(const View& request, const control::Reply& reply);
    void list(const View& request, const control::Reply& reply);
    void show(const View& request, const control::Reply& reply);
    void quality(const View& request, const control::Reply& reply);

    [[nodiscard]] Result<OpenRequest> read_open(const View& request, const std::string& where) const;
    [[nodiscard]] Result<Party> read_party(const record::ValueView& value, Stream stream) const;
    [[nodiscard]] Result<std::string> completed(const View& party, Stream stream) const;

    io::Loop& loop_;
    Hooks hooks_;
    Instant started_;
    std::optional<cluster::Standing> standing_;  ///< where there is a cluster
    std::unique_ptr<control::Server> server_;
    std::unique_ptr<Engine> engine_;
    std::optional<Engine::Batch> batch_;  ///< of the commands read in one turn: journalled before they are answered
};

}  // namespace natkit::relay
