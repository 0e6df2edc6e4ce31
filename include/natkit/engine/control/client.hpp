#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/engine/control/server.hpp"

namespace natkit::control {

/// The other end of control::Server. Keeps its connection (back-off up to 1 s). Requests that were not answered when it
/// broke are sent again with their ids, in order. At most 65,536 requests may wait.
class Client {
  public:
    /// Include <nlohmann/json.hpp> where these are called.
    using OnReply = std::function<void(Result<Json> reply)>;
    using OnReplyWithDescriptors = std::function<void(Result<Json> reply, std::vector<io::Fd> descriptors)>;
    /// For answers that come often: no tree is made of them. The view is good during the call.
    using OnView = std::function<void(const Result<record::ObjectView>& reply)>;
    using OnRecord = std::function<void(const Json& record)>;
    using OnState = std::function<void(bool connected, const std::string& why)>;

    /// `id_prefix` must be random: ids are `<prefix>-<n>`. See random_prefix().
    Client(io::Loop& loop, std::string path, std::string id_prefix);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Asks; `params` is an object without id and cmd (or null). The callback gets `ok`'s content, the error, or
    /// Errc::timed_out. It is called exactly once, never from within request(), and not after this object is gone.
    void request(const std::string& command, const Json& params, OnReply on_reply);
    void request(const std::string& command, const Json& params, std::vector<io::Fd> descriptors,
                 OnReplyWithDescriptors on_reply);
    /// The same, `params` as the text of an object. A request that is not urgent leaves with the next one, or some
    /// milliseconds later: to wake the other end costs more than most requests.
    enum class Urgency : std::uint8_t { now, can_wait };
    void request_text(std::string_view command, std::string_view params, OnReply on_reply,
                      Urgency urgency = Urgency::now);
    void request_view(std::string_view command, std::string_view params, OnView on_reply);

    /// Until flush(), requests are gathered, to leave with one write.
    void gather();
    void flush();

    /// Subscribes, and again after each reconnection: every time the whole snapshot comes anew, ended by a record of
    /// type "snapshot-end".
    /// Of all types, or of these only.
    void watch(OnRecord on_record, std::vector<std::string> types = {});

    /// `on_state(false, why)` is also called for each failed attempt to connect.
    void on_state(OnState on_state);

    void set_timeout(Duration timeout);  ///< per request, also across reconnections; 10 s at first
    [[nodiscard]] bool connected() const noexcept;
    [[nodiscard]] std::size_t waiting() const noexcept;  ///< requests without an answer yet

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// Eight random bytes in hex, for Client's id prefix.
[[nodiscard]] std::string random_prefix();

}  // namespace natkit::control
