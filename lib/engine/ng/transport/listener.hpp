#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "natkit/io/loop.hpp"
#include "natkit/io/net/awaited.hpp"
#include "natkit/ng/framing.hpp"
#include "natkit/ng/listen.hpp"

namespace natkit::ng {

/// A socket that requests come in by, of any kind: datagrams, connections, HTTP.
class Listener {
  public:
    using Respond = std::function<void(const std::string& reply)>;
    struct Sender {
        std::string name;       ///< tells senders apart
        bool datagram = false;  ///< else it has a connection
    };
    struct Handlers {
        /// One message, cookie included; valid during the call. Answered once, now or later; an answer that comes when
        /// its connection has gone goes nowhere.
        std::function<void(std::string_view message, const Sender& sender, Respond respond)> on_message;
        /// How much of a stream the first message takes.
        FrameLength (*frame)(std::string_view stream) noexcept = frame_length;
    };

    [[nodiscard]] static Result<std::unique_ptr<Listener>> open(io::Loop& loop, const Listen& listen, Handlers handlers,
                                                                io::Presence address = io::Presence::needed);
    virtual ~Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

  protected:
    Listener() = default;
};

}  // namespace natkit::ng
