#include "natkit/io/lines.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "natkit/base/text.hpp"

namespace natkit::io {
namespace {

constexpr std::size_t read_chunk = 65536;
constexpr std::size_t max_waiting_descriptors = 2 * max_descriptors;
constexpr std::size_t max_gathered = 65536;  ///< bytes
constexpr std::chrono::milliseconds latest{20};

struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    std::vector<Fd> descriptors;  ///< leave with the first byte
};

}  // namespace

struct LineConnection::Impl : std::enable_shared_from_this<LineConnection::Impl> {
    Fd socket;
    Handlers handlers;
    std::unique_ptr<Poll> poll;
    std::unique_ptr<Timer> late;  ///< for what is sent without haste
    std::string input;
    std::size_t scanned = 0;  ///< bytes of `input` known to hold no newline
    std::deque<Fd> descriptors;
    std::deque<Outgoing> output;
    std::size_t queued = 0;
    bool open = true;
    bool blocked = false;     ///< the socket is full: the loop tells when it takes more
    bool gathering = false;   ///< asked to
    bool delivering = false;  ///< lines that came together: what answers them leaves together
    bool urgent = false;      ///< something in `output` is

    void shut() {
        open = false;
        poll.reset();
        late.reset();
        socket.reset();
        output.clear();
        queued = 0;
        descriptors.clear();
    }

    void fail_with(Error why) {
        if (!open) return;
        const auto keep = shared_from_this();
        shut();
        if (handlers.on_close) handlers.on_close(why);
    }

    void on_ready(bool readable, bool writable) {
        const auto keep = shared_from_this();
        if (writable && open) flush();
        if (readable && open) read();
    }

    void read();
    bool take_control(msghdr& message);
    void deliver();
    void finish() {
        if (handlers.before_answers) handlers.before_answers();
    }
    void queue(std::string_view line, std::vector<Fd> with);
    void flush();
    [[nodiscard]] ssize_t send_some(Outgoing& out);
};

void LineConnection::Impl::read() {
    static thread_local std::array<char, read_chunk> chunk;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * max_descriptors)> control;
    iovec vector{chunk.data(), chunk.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        fail_with(fail_errno("read", errno).error());
        return;
    }
    if (!take_control(message)) return;
    if (got == 0) {
        fail_with({Errc::not_found, {}, "the other end closed the connection"});
        return;
    }
    input.append(chunk.data(), static_cast<std::size_t>(got));
    delivering = true;
    deliver();
    finish();
    delivering = false;
    if (open && !gathering && urgent) flush();
}

bool LineConnection::Impl::take_control(msghdr& message) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        fail_with({Errc::exhausted, {}, "descriptors were lost on the way: the limit of open files is reached"});
        return false;
    }
    if (descriptors.size() > max_waiting_descriptors) {
        fail_with({Errc::bad_input, {}, "more descriptors than any line took"});
        return false;
    }
    return true;
}

void LineConnection::Impl::deliver() {
    std::size_t begin = 0;
    while (open) {
        const std::size_t newline = input.find('\n', std::max(begin, scanned));
        const std::size_t length = (newline == std::string::npos ? input.size() : newline) - begin;
        if (length > max_line) {
            fail_with({Errc::bad_input, {}, "a line of more than 1 MiB"});
            return;
        }
        if (newline == std::string::npos) break;
        // The handler may send, close or destroy; `input` grows only in read().
        if (handlers.on_line) handlers.on_line(std::string_view(input).substr(begin, length));
        begin = newline + 1;
        scanned = begin;
    }
    if (!open) return;
    input.erase(0, begin);
    scanned = input.size();
    if (input.empty() && input.capacity() > read_chunk) input.shrink_to_fit();
}

ssize_t LineConnection::Impl::send_some(Outgoing& out) {
    iovec vector{out.bytes.data() + out.sent, out.bytes.size() - out.sent};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * max_descriptors)> control{};
    if (!out.descriptors.empty()) {
        const std::size_t bytes = out.descriptors.size() * sizeof(int);
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(bytes);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(bytes);
        for (std::size_t i = 0; i < out.descriptors.size(); ++i) {
            const int fd = out.descriptors[i].get();
            std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
        }
    }
    const ssize_t sent = ::sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) out.descriptors.clear();
    return sent;
}

void LineConnection::Impl::queue(std::string_view line, std::vector<Fd> with) {
    const bool joins = !output.empty() && with.empty() && output.back().bytes.size() < max_gathered;
    Outgoing& out = joins ? output.back() : output.emplace_back();
    if (!joins) out.descriptors = std::move(with);
    out.bytes.append(line).push_back('\n');
    queued += line.size() + 1;
}

void LineConnection::Impl::flush() {
    if (delivering) finish();
    blocked = urgent = false;
    while (!output.empty()) {
        Outgoing& out = output.front();
        const ssize_t sent = send_some(out);
        if (sent < 0) {
            blocked = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
            if (blocked) break;
            fail_with(fail_errno("write", errno).error());
            return;
        }
        out.sent += static_cast<std::size_t>(sent);
        queued -= static_cast<std::size_t>(sent);
        if (out.sent == out.bytes.size()) output.pop_front();
    }
    poll->watch(true, !output.empty());
}

LineConnection::LineConnection(Loop& loop, Fd socket, Handlers handlers) : impl_(std::make_shared<Impl>()) {
    impl_->socket = std::move(socket);
    impl_->handlers = std::move(handlers);
    impl_->poll = std::make_unique<Poll>(loop, impl_->socket.get(), [impl = impl_.get()](bool readable, bool writable) {
        impl->on_ready(readable, writable);
    });
    impl_->poll->watch(true, false);
    impl_->late = std::make_unique<Timer>(loop, [impl = impl_.get()] {
        const auto keep = impl->shared_from_this();
        if (keep->open && !keep->blocked) keep->flush();
    });
}

LineConnection::~LineConnection() {
    close();
}
void LineConnection::close() {
    if (!impl_->open) return;  // on_close may be running
    impl_->handlers.on_close = nullptr;
    if (!impl_->blocked) impl_->flush();  // what was gathered
    impl_->shut();
}
bool LineConnection::open() const noexcept {
    return impl_->open;
}
std::size_t LineConnection::queued() const noexcept {
    return impl_->queued;
}

bool LineConnection::send(std::string_view line, std::span<const Fd> descriptors) {
    if (!impl_->open || impl_->queued > max_queued || line.size() > max_queued ||
        descriptors.size() > max_descriptors) {
        return false;
    }
    std::vector<Fd> copies;
    for (const Fd& fd : descriptors) {
        auto copy = fd.duplicate();
        if (!copy) return false;
        copies.push_back(std::move(*copy));
    }
    impl_->queue(line, std::move(copies));
    impl_->urgent = true;
    const bool later = (impl_->gathering || impl_->delivering) && impl_->queued < max_gathered;
    if (later || impl_->blocked) return true;
    const auto keep = impl_;  // on_close may destroy this connection
    keep->flush();
    return keep->open;
}

bool LineConnection::send_later(std::string_view line) {
    if (!impl_->open || impl_->queued > max_queued || line.size() > max_queued) return false;
    if (impl_->queued >= max_gathered) return send(line);
    impl_->queue(line, {});
    if (!impl_->late->active()) impl_->late->start_in(latest);
    return true;
}

void LineConnection::gather() {
    impl_->gathering = true;
}

void LineConnection::flush() {
    impl_->gathering = false;
    const auto keep = impl_;
    if (keep->open && !keep->blocked) keep->flush();
}

Result<std::vector<Fd>> LineConnection::take_descriptors(std::size_t count) {
    if (impl_->descriptors.size() < count) {
        return fail(Errc::bad_input, "the line names " + std::to_string(count) + " descriptors, " +
                                         std::to_string(impl_->descriptors.size()) + " came");
    }
    std::vector<Fd> taken;
    for (std::size_t i = 0; i < count; ++i) {
        taken.push_back(std::move(impl_->descriptors.front()));
        impl_->descriptors.pop_front();
    }
    return taken;
}

}  // namespace natkit::io
