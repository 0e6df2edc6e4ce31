#include "natkit/engine/relay/worker.hpp"

#include <csignal>
#include <future>

namespace natkit::mediarelay {

Worker::Worker(relay::Timeouts timeouts, Plane::OnEvents on_events) {
    plane_ = std::make_unique<Plane>(loop_, timeouts, std::move(on_events));
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] {
        loop_.run();
        plane_.reset();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Worker::~Worker() {
    post([this](Plane&) { loop_.stop(); });
    thread_.join();
}

void Worker::post(std::function<void(Plane&)> task) {
    const auto shared = std::make_shared<std::function<void(Plane&)>>(std::move(task));
    while (!loop_.post([this, shared] { (*shared)(*plane_); })) std::this_thread::yield();
}

void Worker::run(const std::function<void(Plane&)>& task) {
    std::promise<void> done;
    post([&](Plane& plane) {
        task(plane);
        done.set_value();
    });
    done.get_future().wait();
}

}  // namespace natkit::mediarelay
