#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>

#include "natkit/io/stream.hpp"

namespace natkit::io {
namespace {

using namespace std::chrono_literals;

/// What one direction may move before the others have their turn.
constexpr std::size_t most_at_once = std::size_t{4} << 20;
constexpr Duration pipe_wait = 100ms;
constexpr int want_errors = 4;  ///< beside Poll's readable and writable

ssize_t move_bytes(const Fd& from, const Fd& to, std::size_t size) {
    for (;;) {
        const ssize_t moved = ::splice(from.get(), nullptr, to.get(), nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (moved >= 0 || errno != EINTR) return moved;
    }
}

int error_of(const Fd& socket) {
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

bool later(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

std::optional<PipePool::Pipe> PipePool::take() {
    if (!free_.empty()) {
        Pipe pipe = std::move(free_.back());
        free_.pop_back();
        return pipe;
    }
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return std::nullopt;
    Pipe pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
    // The system may refuse (fs.pipe-user-pages-soft): smaller is slower, and as good.
    static_cast<void>(::fcntl(pipe.write.get(), F_SETPIPE_SZ, static_cast<int>(pipe_size)));
    const int size = ::fcntl(pipe.write.get(), F_GETPIPE_SZ);
    pipe.size = size > 0 ? static_cast<std::size_t>(size) : 4096;
    return pipe;
}

void PipePool::give_back(Pipe pipe) {
    if (free_.size() < most_kept) free_.push_back(std::move(pipe));
}

StreamPair::StreamPair(Loop& loop, PipePool& pipes, Fd a, Fd b, OnEnd on_end)
    : pipes_(pipes), sockets_{std::move(a), std::move(b)}, on_end_(std::move(on_end)) {
    for (std::size_t i = 0; i < 2; ++i) {
        polls_[i] = std::make_unique<Poll>(
            loop, sockets_[i].get(), [this, i](bool readable, bool writable) { on_ready(i, readable, writable); });
    }
    retry_ = std::make_unique<Timer>(loop, [this] {
        watched_ = {-1, -1};
        watch();
    });
    watch();
}

StreamPair::~StreamPair() {
    for (auto& poll : polls_) poll.reset();
    if (!abort_) return;
    for (Fd& socket : sockets_) reset_stream(std::move(socket));
}

StreamPair::Side StreamPair::side(std::size_t which) const noexcept {
    return {.received = directions_[which].read,
            .sent = directions_[1 - which].written,
            .finished = directions_[which].ended};
}

/// Reads into the pipe; false when there is nothing to go on with.
bool StreamPair::fill(std::size_t from, Step& step) {
    Direction& way = directions_[from];
    if (!way.pipe) way.pipe = pipes_.take();
    if (!way.pipe) {
        polls_[from]->watch(false, false);
        retry_->start_in(pipe_wait);
        return false;
    }
    const ssize_t got = move_bytes(sockets_[from], way.pipe->write, way.pipe->size);
    if (got < 0) {
        if (!later(errno)) step = Step::failed;
        return false;
    }
    way.ended = got == 0;
    way.held = static_cast<std::size_t>(got);
    way.read += way.held;
    return true;
}

/// Writes what the pipe holds; false when the other side does not take it now.
bool StreamPair::drain(std::size_t from, Step& step) {
    Direction& way = directions_[from];
    while (way.held > 0) {
        const ssize_t put = move_bytes(way.pipe->read, sockets_[1 - from], way.held);
        if (put <= 0) {
            if (put == 0 || !later(errno)) step = Step::failed;
            return false;
        }
        way.held -= static_cast<std::size_t>(put);
        way.written += static_cast<std::size_t>(put);
    }
    return true;
}

StreamPair::Step StreamPair::pump(std::size_t from) {
    Direction& way = directions_[from];
    Step step = Step::fine;
    const std::uint64_t before = way.read;
    while (drain(from, step) && !way.ended && way.read - before < most_at_once && fill(from, step)) {
    }
    if (step == Step::fine && way.held == 0) {
        if (way.pipe) pipes_.give_back(*std::exchange(way.pipe, std::nullopt));
        if (way.ended && !std::exchange(way.shut, true)) ::shutdown(sockets_[1 - from].get(), SHUT_WR);
    }
    return step;
}

void StreamPair::on_ready(std::size_t which, bool readable, bool writable) {
    // Errors are told as both; and so is, of a side that is not read now, the end of both its directions, which is no
    // error: what it has sent waits to be read.
    if (readable && writable) {
        if (error_of(sockets_[which]) != 0) return end(End::reset);
        hung_up_[which] = hung_up_[which] || watched_[which] == want_errors;
        watched_[which] = -1;  // the system's watch may have ended with that
    }
    if (readable && pump(which) == Step::failed) return end(End::reset);
    if (writable && pump(1 - which) == Step::failed) return end(End::reset);
    if (directions_[0].shut && directions_[1].shut) return end(End::closed);
    watch();
}

/// A side is read while the other takes what it sends, written to while something waits for it, and watched for its
/// end otherwise: a side that goes away must be noticed though nobody reads from it.
void StreamPair::watch() {
    for (std::size_t i = 0; i < 2; ++i) {
        const Direction& in = directions_[i];
        const Direction& out = directions_[1 - i];
        const bool reads = !in.ended && in.held == 0;
        int wanted = (reads ? Poll::readable : 0) | (out.held > 0 ? Poll::writable : 0);
        // Both directions ended: the system would tell so again and again.
        if (wanted == 0 && !hung_up_[i] && !(in.ended && out.shut)) wanted = want_errors;
        if (wanted == watched_[i]) continue;
        watched_[i] = wanted;
        if (wanted == want_errors) {
            polls_[i]->watch_errors();
        } else {
            polls_[i]->watch((wanted & Poll::readable) != 0, (wanted & Poll::writable) != 0);
        }
    }
}

void StreamPair::end(End how) {
    if (how == End::reset) abort();
    const OnEnd on_end = std::move(on_end_);
    on_end(how);  // may destroy this
}

}  // namespace natkit::io
