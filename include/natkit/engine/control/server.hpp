#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/io/lines.hpp"
#include "natkit/record/json_view.hpp"

/// The one protocol between the programs and their users: JSON lines over a Unix socket (natkit-records(7), CONTROL).
/// A request `{"id","cmd",…}`, a reply `{"id","ok":{…}}` or `{"id","error":{code,where,message}}`. Keys keep their
/// order.
namespace natkit::control {

using Json = nlohmann::ordered_json;

/// A request's answer, due now or later. Copies stand for the same answer; the first ok() or error() counts. When the
/// last copy goes unanswered, an error is sent.
class Reply {
  public:
    void ok(const Json& result) const;
    /// The same, `result` as the text of an object.
    void ok_text(std::string_view result) const;
    /// Descriptors travel beside the reply, which says how many in `fds`.
    void ok(const Json& result, std::vector<io::Fd> descriptors) const;
    void error(const Error& error) const;

  private:
    friend class Server;
    struct State;
    explicit Reply(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

/// Serves the protocol on a path. Commands are handled one after the other on the loop's thread.
///
/// A request id seen within 60 s gets the reply it got before, and its command does not run again: a client that lost
/// its connection may repeat what it did not see answered. At most 65,536 replies or 64 MiB are remembered, the oldest
/// go first. Commands registered as `Repeat::run` only read, so they run again instead.
class Server {
  public:
    using Handler = std::function<void(const Json& request, std::vector<io::Fd> descriptors, Reply reply)>;
    /// For requests that come often: no tree is made of them. The view is good during the call. Descriptors are closed.
    using ViewHandler = std::function<void(const record::ObjectView& request, Reply reply)>;
    /// Calls `send` for every record of the present state.
    using Snapshot = std::function<void(const std::function<void(const Json& record)>& send)>;
    enum class Repeat : std::uint8_t { remember, run };

    /// Refused when another live process serves the path.
    [[nodiscard]] static Result<std::unique_ptr<Server>> listen(io::Loop& loop, const std::string& path);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// The command's name must be new. The handler must not throw; a JSON exception becomes an error reply.
    void on(std::string command, Handler handler, Repeat repeat = Repeat::remember);
    void on_view(std::string command, ViewHandler handler, Repeat repeat = Repeat::remember);

    /// Called after the commands that came together, before their answers leave: what they all did can be made safe at
    /// once.
    void set_before_answers(std::function<void()> before_answers);

    /// What a `watch` gets first (of the types it names in `types`, or all); then it gets `{"type":"snapshot-end"}`,
    /// then what publish() is given.
    void set_snapshot(Snapshot snapshot);

    /// A record to all watchers; one of type "replica" to those only that name that type. A watcher that does not read
    /// is cut off; it may come back for a new snapshot.
    void publish(const Json& record);
    /// The same for one that is written already: the text of an object of that type.
    void publish_text(std::string_view type, const std::string& record);
    /// Whether anybody watches; with a type, whether anybody wants records of that type.
    [[nodiscard]] bool watched(std::string_view type = {}) const noexcept;

    [[nodiscard]] std::size_t connections() const noexcept;

  private:
    struct Impl;
    explicit Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
    friend struct Reply::State;
};

}  // namespace natkit::control
