#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "natkit/io/net/stream.hpp"

namespace natkit::io {
namespace {

using namespace std::chrono_literals;

/// What one direction may move before the others have their turn.
constexpr std::size_t most_at_once = std::size_t{4} << 20;
constexpr Duration pipe_wait = 100ms;

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

StreamPair::StreamPair(Loop& loop, PipePool& pipes, LossSet& losses, Fd a, Fd b, OnEnd on_end)
    : pipes_(pipes), losses_(losses), sockets_{std::move(a), std::move(b)}, on_end_(std::move(on_end)) {
    for (std::size_t i = 0; i < 2; ++i) {
        polls_[i] = std::make_unique<Poll>(
            loop, sockets_[i].get(), [this, i](bool readable, bool writable) { on_ready(i, readable, writable); });
    }
    retry_ = std::make_unique<Timer>(loop, [this] {
        for (Direction& way : directions_) way.starved = false;
        watch();
    });
    watch();
}

StreamPair::~StreamPair() {
    for (auto& guard : guards_) guard.reset();
    for (auto& poll : polls_) poll.reset();
    if (!abort_) return;
    for (Fd& socket : sockets_) reset_stream(std::move(socket));
}

StreamPair::Side StreamPair::side(std::size_t which) const noexcept {
    return {.received = directions_[which].read,
            .sent = directions_[1 - which].written,
            .finished = directions_[which].ended};
}

/// splice() never passes an urgent byte: before it, it says that nothing is there, or takes an end behind it for an end
/// here, while poll() says that there is something to read. recv() passes it, as SO_OOBINLINE asks, and so has the last
/// word on what splice() calls nothing.
ssize_t StreamPair::pass_mark(std::size_t from) {
    std::array<char, PIPE_BUF> bytes{};
    ssize_t got = 0;
    do {
        got = ::recv(sockets_[from].get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return got;
    // An empty pipe takes PIPE_BUF bytes in one piece.
    const ssize_t put = ::write(directions_[from].pipe->write.get(), bytes.data(), static_cast<std::size_t>(got));
    if (put == got) return got;
    errno = EIO;
    return -1;
}

/// Reads into the empty pipe; false when there is nothing to go on with.
bool StreamPair::fill(std::size_t from, bool first, Step& step) {
    Direction& way = directions_[from];
    if (!way.pipe) way.pipe = pipes_.take();
    if (!way.pipe) {
        way.starved = true;
        retry_->start_in(pipe_wait);
        return false;
    }
    ssize_t got = move_bytes(sockets_[from], way.pipe->write, way.pipe->size);
    if (got == 0 || (got < 0 && first && later(errno))) got = pass_mark(from);
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
    while (drain(from, step) && !way.ended && way.read - before < most_at_once &&
           fill(from, way.read == before, step)) {
    }
    if (step == Step::fine && way.held == 0) {
        if (way.pipe) pipes_.give_back(*std::exchange(way.pipe, std::nullopt));
        if (way.ended && !std::exchange(way.shut, true)) ::shutdown(sockets_[1 - from].get(), SHUT_WR);
    }
    return step;
}

void StreamPair::on_ready(std::size_t which, bool readable, bool writable) {
    // An error is told as both, and libuv watches no more then.
    const bool perhaps_failed = readable && writable;
    if (perhaps_failed) watched_[which] = -1;
    if (readable && pump(which) == Step::failed) return end(End::reset);
    if (writable && pump(1 - which) == Step::failed) return end(End::reset);
    if (directions_[0].shut && directions_[1].shut) return end(End::closed);
    // Asked last: what came before a reset has gone on now.
    if (perhaps_failed && error_of(sockets_[which]) != 0) return end(End::reset);
    watch();
}

/// A side that is not read now has failed, or both its directions have ended; the latter is no error: what it has sent
/// waits to be read.
void StreamPair::on_lost(std::size_t which) {
    hung_up_[which] = true;
    on_ready(which, true, true);
}

/// A side is read while the other takes what it sends, written to while something waits for it, and watched for its
/// loss otherwise: a side that goes away must be noticed though nobody reads from it.
void StreamPair::watch() {
    for (std::size_t i = 0; i < 2; ++i) {
        const Direction& in = directions_[i];
        const Direction& out = directions_[1 - i];
        const bool reads = !in.ended && in.held == 0 && !in.starved;
        const bool writes = out.held > 0;
        const int wanted = (reads ? Poll::readable : 0) | (writes ? Poll::writable : 0);
        if (wanted != watched_[i]) {
            watched_[i] = wanted;
            polls_[i]->watch(reads, writes);
        }
        const bool guarded = wanted == 0 && !hung_up_[i] && !(in.ended && out.shut);
        if (!guarded) guards_[i].reset();
        if (guarded && !guards_[i]) guards_[i].emplace(losses_, sockets_[i].get(), [this, i] { on_lost(i); });
    }
}

void StreamPair::end(End how) {
    if (how == End::reset) abort();
    const OnEnd on_end = std::move(on_end_);
    on_end(how);  // may destroy this
}

}  // namespace natkit::io
