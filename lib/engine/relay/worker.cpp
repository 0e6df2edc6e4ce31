#include "worker.hpp"

#include <csignal>
#include <future>
#include <memory>
#include <utility>

namespace natkit::relay {

Worker::Worker(Timeouts timeouts, Plane::OnEvents on_events, SteeredPorts* steered, unsigned number) {
    plane_ = std::make_unique<Plane>(loop_, timeouts, std::move(on_events), traffic_, steered, number);
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
    flush();
    thread_.join();
}

void Worker::flush() {
    urgent_ = false;
    if (posted_.empty()) return;
    const auto tasks = std::make_shared<std::vector<Task>>(std::exchange(posted_, {}));
    const auto run_all = [this, tasks] {
        for (const Task& task : *tasks) task(*plane_);
    };
    while (!loop_.post(run_all)) std::this_thread::yield();
}

void Worker::run(const Task& task) {
    std::promise<void> done;
    post([&](Plane& plane) {
        task(plane);
        done.set_value();
    });
    flush();
    done.get_future().wait();
}

}  // namespace natkit::relay
