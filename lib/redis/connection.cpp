#include "natkit/redis/connection.hpp"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <cassert>
#include <cerrno>
#include <deque>
#include <utility>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::redis {
namespace {

const redisReply* raw(const void* reply) noexcept {
    return static_cast<const redisReply*>(reply);
}

bool is_text(const redisReply& reply) noexcept {
    return reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS;
}

std::string reason(const redisAsyncContext& context) {
    return context.c.errstr[0] != '\0' ? text::lower(context.c.errstr) : "closed";
}

}  // namespace

std::optional<std::string_view> Reply::error() const noexcept {
    const redisReply* reply = raw(reply_);
    if (reply == nullptr || reply->type != REDIS_REPLY_ERROR) return std::nullopt;
    return std::string_view(reply->str, reply->len);
}

std::optional<std::string_view> Reply::text() const noexcept {
    const redisReply* reply = raw(reply_);
    if (reply == nullptr || !is_text(*reply)) return std::nullopt;
    return std::string_view(reply->str, reply->len);
}

std::optional<std::int64_t> Reply::number() const noexcept {
    const redisReply* reply = raw(reply_);
    if (reply == nullptr || reply->type != REDIS_REPLY_INTEGER) return std::nullopt;
    return reply->integer;
}

bool Reply::nil() const noexcept {
    return reply_ == nullptr || raw(reply_)->type == REDIS_REPLY_NIL;
}

std::size_t Reply::size() const noexcept {
    const redisReply* reply = raw(reply_);
    return reply != nullptr && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

Reply Reply::operator[](std::size_t at) const noexcept {
    return Reply(at < size() ? raw(reply_)->element[at] : nullptr);
}

/// hiredis' own adapter for libuv leaves out what libuv reports as an error, a connection that is refused among it; so
/// the descriptor is watched here.
struct Connection::Impl : std::enable_shared_from_this<Connection::Impl> {
    struct Question {
        Instant deadline;
        OnReply on_reply;
    };

    io::Loop& loop;
    Duration timeout;
    Handlers handlers;
    redisAsyncContext* context = nullptr;
    std::unique_ptr<io::Poll> poll;
    io::Timer timer;
    Instant connect_by{};
    std::deque<Question> questions;
    std::string failure;  ///< why it could not even begin
    bool connected = false;
    bool reads = false;
    bool writes = false;
    bool inside = false;  ///< in a call of hiredis, which may free what it works on only afterwards

    Impl(io::Loop& on, Duration limit, Handlers with)
        : loop(on), timeout(limit), handlers(std::move(with)), timer(on, [this] { on_time(); }) {}

    void begin(const Endpoint& server);
    void attach();
    void watch();
    void on_ready(bool readable, bool writable);
    void on_time();
    void arm();
    void lose(const std::string& why);
    void drop();
    void answer(const redisReply* reply);
};

void Connection::Impl::begin(const Endpoint& server) {
    connect_by = loop.now() + timeout;
    context = redisAsyncConnect(to_string(server.address).c_str(), server.port);
    if (context == nullptr || context->err != 0) {
        failure = context == nullptr ? "no memory" : reason(*context);
        timer.start_in({});
        return;
    }
    attach();
    timer.start_at(connect_by);
}

void Connection::Impl::attach() {
    context->data = this;
    poll = std::make_unique<io::Poll>(loop, context->c.fd,
                                      [this](bool readable, bool writable) { on_ready(readable, writable); });
    static const auto of = [](void* data) -> Impl& { return *static_cast<Impl*>(data); };
    context->ev.data = this;
    context->ev.addRead = [](void* data) {
        of(data).reads = true;
        of(data).watch();
    };
    context->ev.delRead = [](void* data) {
        of(data).reads = false;
        of(data).watch();
    };
    context->ev.addWrite = [](void* data) {
        of(data).writes = true;
        of(data).watch();
    };
    context->ev.delWrite = [](void* data) {
        of(data).writes = false;
        of(data).watch();
    };
    // It is about to free the context and to close the descriptor.
    context->ev.cleanup = [](void* data) {
        of(data).poll.reset();
        of(data).context = nullptr;
    };
    redisAsyncSetConnectCallback(context, [](const redisAsyncContext* from, int status) {
        auto& impl = of(from->data);
        if (status == REDIS_OK) impl.connected = true;
        if (status != REDIS_OK) impl.failure = reason(*from);
    });
    redisAsyncSetDisconnectCallback(context, [](const redisAsyncContext* from, int status) {
        auto& impl = of(from->data);
        impl.failure = status != REDIS_OK ? reason(*from) : "closed";
    });
}

void Connection::Impl::watch() {
    if (poll) poll->watch(reads, writes);
}

void Connection::Impl::on_ready(bool readable, bool writable) {
    const auto keep = shared_from_this();
    const bool before = connected;
    inside = true;
    if (context != nullptr && readable && reads) redisAsyncHandleRead(context);
    if (context != nullptr && writable && writes) redisAsyncHandleWrite(context);
    inside = false;
    if (context == nullptr) return lose(failure.empty() ? "closed" : failure);
    if (!before && connected) {
        arm();
        if (handlers.on_connected) handlers.on_connected();
    }
}

void Connection::Impl::on_time() {
    const auto keep = shared_from_this();
    if (!failure.empty()) return lose(failure);
    const Instant now = loop.now();
    const auto limit = to_string(std::chrono::ceil<std::chrono::milliseconds>(timeout));
    if (!connected && now >= connect_by) return lose("no connection in " + limit);
    if (connected && !questions.empty() && now >= questions.front().deadline) return lose("no answer in " + limit);
    arm();
}

void Connection::Impl::arm() {
    if (!connected) {
        timer.start_at(connect_by);
    } else if (questions.empty()) {
        timer.stop();
    } else {
        timer.start_at(questions.front().deadline);
    }
}

void Connection::Impl::lose(const std::string& why) {
    drop();
    if (const auto on_lost = std::exchange(handlers.on_lost, nullptr)) {
        on_lost(Error{.code = Errc::system, .where = {}, .message = why});
    }
}

void Connection::Impl::drop() {
    questions.clear();
    timer.stop();
    if (context != nullptr) redisAsyncFree(context);
    if (!inside) context = nullptr;  // else cleanup does it, once hiredis has returned
}

void Connection::Impl::answer(const redisReply* reply) {
    if (reply == nullptr || questions.empty()) return;  // what hiredis says to all that wait when the connection ends
    const OnReply on_reply = std::move(questions.front().on_reply);
    questions.pop_front();
    arm();
    if (on_reply) on_reply(Reply(reply));
}

Connection::Connection(io::Loop& loop, const Endpoint& server, Duration timeout, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, timeout, std::move(handlers))) {
    impl_->begin(server);
}

Connection::~Connection() {
    impl_->handlers = {};
    impl_->drop();
}

void Connection::ask(std::span<const std::string_view> words, OnReply on_reply, Duration patience) {
    assert(!words.empty());
    Impl& impl = *impl_;
    if (impl.context == nullptr || !impl.failure.empty()) return;
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    texts.reserve(words.size());
    sizes.reserve(words.size());
    for (const std::string_view word : words) {
        texts.push_back(word.data() == nullptr ? "" : word.data());
        sizes.push_back(word.size());
    }
    impl.questions.push_back({.deadline = impl.loop.now() + impl.timeout + patience, .on_reply = std::move(on_reply)});
    const auto on_answer = [](redisAsyncContext* from, void* reply, void*) {
        static_cast<Impl*>(from->data)->answer(static_cast<const redisReply*>(reply));
    };
    if (redisAsyncCommandArgv(impl.context, on_answer, nullptr, static_cast<int>(words.size()), texts.data(),
                              sizes.data()) != REDIS_OK) {
        impl.questions.pop_back();
        return;
    }
    impl.arm();
}

std::size_t Connection::waiting() const noexcept {
    return impl_->questions.size();
}

}  // namespace natkit::redis
