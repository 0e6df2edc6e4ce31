#include "natkit/io/loop.hpp"

#include <uv.h>

#include <cassert>
#include <mutex>
#include <utility>
#include <vector>

namespace natkit::io {
namespace {

constexpr std::size_t max_posted = 65536;

template <class Impl>
void close_and_delete(Impl* impl) {
    impl->closed = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&impl->handle),
             [](uv_handle_t* handle) { delete static_cast<Impl*>(handle->data); });
}

void must(int status) {
    // Only a lack of memory or a misuse of libuv can make these calls fail.
    if (status != 0) std::abort();
}

}  // namespace

struct Loop::Impl {
    uv_loop_t loop{};
    uv_async_t wake{};
    std::mutex mutex;
    std::vector<std::function<void()>> posted;

    void run_posted() {
        std::vector<std::function<void()>> tasks;
        {
            const std::lock_guard lock(mutex);
            tasks.swap(posted);
        }
        for (auto& task : tasks) task();
    }
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {
    must(uv_loop_init(&impl_->loop));
    must(uv_async_init(&impl_->loop, &impl_->wake,
                       [](uv_async_t* handle) { static_cast<Impl*>(handle->data)->run_posted(); }));
    impl_->wake.data = impl_.get();
}

Loop::~Loop() {
    impl_->run_posted();
    uv_close(reinterpret_cast<uv_handle_t*>(&impl_->wake), nullptr);
    int status = UV_EBUSY;
    for (int round = 0; round < 16 && status == UV_EBUSY; ++round) {
        uv_run(&impl_->loop, UV_RUN_NOWAIT);  // close callbacks
        status = uv_loop_close(&impl_->loop);
    }
    assert(status == 0 && "an object outlived its loop");
}

void Loop::run() {
    uv_run(&impl_->loop, UV_RUN_DEFAULT);
}
void Loop::stop() {
    uv_stop(&impl_->loop);
}
void Loop::run_once() {
    uv_run(&impl_->loop, UV_RUN_ONCE);
}
Instant Loop::now() const noexcept {
    return std::chrono::steady_clock::now();
}
uv_loop_s* Loop::native() const noexcept {
    return &impl_->loop;
}

bool Loop::post(std::function<void()> task) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->posted.size() >= max_posted) return false;
        impl_->posted.push_back(std::move(task));
    }
    uv_async_send(&impl_->wake);
    return true;
}

struct Timer::Impl {
    uv_timer_t handle{};
    std::function<void()> on_time;
    Instant due{};
    bool closed = false;

    void wait() noexcept;
};

/// libuv counts whole milliseconds from a cached time that lags by up to two: the time is refreshed, the delay rounded
/// up, and what is still early when it fires waits for the rest.
void Timer::Impl::wait() noexcept {
    uv_update_time(handle.loop);
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now()).count();
    must(uv_timer_start(
        &handle,
        [](uv_timer_t* fired) {
            auto* impl = static_cast<Impl*>(fired->data);
            if (impl->closed) return;
            if (std::chrono::steady_clock::now() < impl->due) return impl->wait();
            impl->on_time();
        },
        whole > 0 ? static_cast<std::uint64_t>(whole) : 0, 0));
}

Timer::Timer(Loop& loop, std::function<void()> on_time) : impl_(new Impl) {
    impl_->on_time = std::move(on_time);
    must(uv_timer_init(loop.native(), &impl_->handle));
    impl_->handle.data = impl_;
}

Timer::~Timer() {
    close_and_delete(impl_);
}

void Timer::start_at(Instant when) {
    impl_->due = when;
    impl_->wait();
}

void Timer::start_in(Duration delay) {
    start_at(std::chrono::steady_clock::now() + delay);
}

void Timer::stop() {
    uv_timer_stop(&impl_->handle);
}
bool Timer::active() const noexcept {
    return uv_is_active(reinterpret_cast<const uv_handle_t*>(&impl_->handle)) != 0;
}

struct SignalWatch::Impl {
    uv_signal_t handle{};
    std::function<void(int)> on_signal;
    bool closed = false;
};

SignalWatch::SignalWatch(Loop& loop, int signal_number, std::function<void(int)> on_signal) : impl_(new Impl) {
    impl_->on_signal = std::move(on_signal);
    must(uv_signal_init(loop.native(), &impl_->handle));
    impl_->handle.data = impl_;
    must(uv_signal_start(
        &impl_->handle,
        [](uv_signal_t* handle, int number) {
            auto* impl = static_cast<Impl*>(handle->data);
            if (!impl->closed) impl->on_signal(number);
        },
        signal_number));
}

SignalWatch::~SignalWatch() {
    close_and_delete(impl_);
}

struct Poll::Impl {
    uv_poll_t handle{};
    std::function<void(bool, bool)> on_ready;
    int events = 0;  ///< watched for
    bool closed = false;
};

Poll::Poll(Loop& loop, int fd, std::function<void(bool, bool)> on_ready) : impl_(new Impl) {
    impl_->on_ready = std::move(on_ready);
    must(uv_poll_init(loop.native(), &impl_->handle, fd));
    impl_->handle.data = impl_;
}

Poll::~Poll() {
    close_and_delete(impl_);
}

void Poll::watch(bool for_reading, bool for_writing) {
    const int events = (for_reading ? UV_READABLE : 0) | (for_writing ? UV_WRITABLE : 0);
    if (events == impl_->events) return;  // libuv would take the descriptor out of epoll and put it in again
    impl_->events = events;
    if (events == 0) {
        uv_poll_stop(&impl_->handle);
        return;
    }
    must(uv_poll_start(&impl_->handle, events, [](uv_poll_t* handle, int status, int ready) {
        auto* impl = static_cast<Impl*>(handle->data);
        if (impl->closed) return;
        if (status < 0) {
            impl->events = 0;  // libuv has stopped watching
            impl->on_ready(true, true);
        } else {
            impl->on_ready((ready & UV_READABLE) != 0, (ready & UV_WRITABLE) != 0);
        }
    }));
}

}  // namespace natkit::io
