#include "natkit/io/net/stream_loss.hpp"

#include <sys/epoll.h>

#include <utility>

namespace natkit::io {

// poll() and libuv cannot watch for errors alone: libuv wants an event beside them, and each of those comes again and
// again with a connection that is in good health (POLLPRI while an urgent byte waits). epoll can, with no event at all.
void LossSet::add(int socket, LossWatch* watch) {
    if (!epoll_) {
        epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
        // Out of descriptors the loss goes unnoticed until the socket is read or written.
        if (!epoll_) return;
        poll_ = std::make_unique<Poll>(loop_, epoll_.get(), [this](bool, bool) { on_ready(); });
        poll_->watch(true, false);
    }
    epoll_event nothing{};
    nothing.data.fd = socket;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &nothing) == 0) watches_[socket] = watch;
}

void LossSet::remove(int socket) {
    if (watches_.erase(socket) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
}

void LossSet::on_ready() {
    // One at a time: what is called may close sockets, and open others with the same numbers.
    epoll_event event{};
    if (::epoll_wait(epoll_.get(), &event, 1, 0) != 1) return;
    const auto found = watches_.find(event.data.fd);
    if (found == watches_.end()) return;
    LossWatch* watch = found->second;
    remove(event.data.fd);
    const auto on_lost = std::move(watch->on_lost_);
    on_lost();  // may destroy the watch
}

LossWatch::LossWatch(LossSet& set, int socket, std::function<void()> on_lost)
    : set_(set), socket_(socket), on_lost_(std::move(on_lost)) {
    set_.add(socket_, this);
}

LossWatch::~LossWatch() {
    // A watch that has called back is no longer in the set, and its number may be another's.
    const auto found = set_.watches_.find(socket_);
    if (found != set_.watches_.end() && found->second == this) set_.remove(socket_);
}

}  // namespace natkit::io
