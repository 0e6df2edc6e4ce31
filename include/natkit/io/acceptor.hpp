#pragma once

#include <functional>
#include <memory>

#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::io {

/// Accepts the connections of a listening socket, which stays its owner's. Keeps a descriptor in reserve: where the
/// process has none left, a connection that waits cannot be accepted, the listener stays readable, and a loop would
/// spin over it. The reserve makes room to accept it and close it, so that its sender knows, and the loop rests.
class Acceptor {
  public:
    struct Handlers {
        std::function<void(Fd socket)> on_connection;  ///< non-blocking, close-on-exec; may destroy the Acceptor
        std::function<void()> on_exhausted = {};       ///< one was closed for want of descriptors; may be missing
    };
    Acceptor(Loop& loop, const Fd& listener, Handlers handlers);
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace natkit::io
