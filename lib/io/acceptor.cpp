#include "natkit/io/acceptor.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace natkit::io {
namespace {

constexpr int accepts_a_round = 64;  ///< so that a flood of connections does not hold up the rest of the loop
constexpr std::chrono::milliseconds pause_when_stuck{100};

bool out_of_descriptors(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

Fd make_spare() {
    return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

struct Acceptor::State {
    int listener;
    Handlers handlers;
    Fd spare = make_spare();
    bool open = true;
    std::unique_ptr<Poll> poll;
    Timer pause;
    std::weak_ptr<State> self;

    State(Loop& loop, int socket, Handlers with)
        : listener(socket),
          handlers(std::move(with)),
          poll(std::make_unique<Poll>(loop, socket, [this](bool, bool) { on_readable(); })),
          pause(loop, [this] { poll->watch(true, false); }) {
        poll->watch(true, false);
    }

    void on_readable() {
        const auto keep = self.lock();
        for (int round = 0; round < accepts_a_round && open; ++round) {
            Fd accepted(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (accepted) {
                handlers.on_connection(std::move(accepted));
            } else if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            } else if (!out_of_descriptors(errno)) {
                return;  // EAGAIN: nobody waits any more
            } else if (const int error = refuse_one(); error != 0) {
                if (!out_of_descriptors(error)) return;  // nobody waits any more
                // Not even that was possible: somebody else took the descriptor.
                poll->watch(false, false);
                return pause.start_in(pause_when_stuck);
            } else if (handlers.on_exhausted) {
                handlers.on_exhausted();
            }
        }
        if (open && !spare) spare = make_spare();
    }

    /// Accepts one and closes it; else the error.
    int refuse_one() {
        if (!spare) spare = make_spare();
        if (!spare) return EMFILE;
        spare.reset();
        const bool refused = Fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)).valid();
        const int error = refused ? 0 : errno;
        spare = make_spare();
        return error;
    }
};

Acceptor::Acceptor(Loop& loop, const Fd& listener, Handlers handlers)
    : state_(std::make_shared<State>(loop, listener.get(), std::move(handlers))) {
    state_->self = state_;
}

Acceptor::~Acceptor() {
    state_->open = false;
    state_->poll.reset();  // before the listener is closed; a callback that runs may hold the state for longer
    state_->pause.stop();
}

}  // namespace natkit::io
