#include "worker.hpp"

#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "natkit/engine/role/role.hpp"
#include "natkit/io/lines.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/rights.hpp"

namespace natkit::supervise {
namespace {

using namespace std::chrono_literals;

constexpr Duration patience_before_term = 3s;
constexpr Duration patience_before_kill = 2s;
constexpr Duration request_timeout = 2s;
constexpr int exit_usage = 2;

}  // namespace

const char* to_string(Worker::State state) noexcept {
    switch (state) {
        case Worker::State::stopped: return "stopped";
        case Worker::State::starting: return "starting";
        case Worker::State::running: return "running";
        case Worker::State::waiting: return "waiting";
        case Worker::State::failed: return "failed";
        case Worker::State::stopping: return "stopping";
    }
    return "stopped";
}

Worker::Worker(io::Loop& loop, Spec spec, log::Logger& log, Handlers handlers)
    : loop_(loop),
      spec_(std::move(spec)),
      log_(log),
      handlers_(std::move(handlers)),
      timer_(loop, [this] { on_time(); }),
      life_timer_(loop, [this] { look_at_life(); }) {
    connect();
}

void Worker::connect() {
    client_ = std::make_unique<control::Client>(loop_, spec_.socket, control::random_prefix());
    client_->set_timeout(request_timeout);
    client_->on_state([this](bool connected, const std::string&) {
        if (!connected && on_lost_) on_lost_();
        if (connected && process_) on_connected();
    });
}

bool Worker::adopt() {
    const auto socket = io::connect_unix(spec_.socket);
    if (!socket) return false;
    const auto pid = io::peer_pid(*socket);
    if (!pid) return false;
    auto process = io::Process::adopt(loop_, *pid, [this](io::Process::Exit exit) { on_exit(exit); });
    if (!process) return false;
    process_ = std::move(*process);
    ++generation_;
    started_ = loop_.now();
    state_ = State::starting;
    watch_life();
    log_.major(spec_.name + " runs already (process " + std::to_string(*pid) + "): taken over");
    if (client_->connected()) on_connected();
    return true;
}

void Worker::start() {
    std::optional<io::WithoutNetworkRights> without;
    if (!spec_.network_rights) without.emplace();
    auto process = io::Process::spawn(loop_, spec_.argv, [this](io::Process::Exit exit) { on_exit(exit); });
    without.reset();
    started_ = loop_.now();
    ++generation_;
    if (!process) {
        state_ = State::failed;
        if (ever_ran_ || !handlers_.on_unusable(*this)) return wait_to_start(to_string(process.error()));
        return log_.failures(to_string(process.error()));
    }
    process_ = std::move(*process);
    state_ = State::starting;
    watch_life();
    log_.low_level(spec_.name + " started (process " + std::to_string(process_->pid()) + ")");
}

void Worker::on_connected() {
    if (state_ != State::starting) return;
    handlers_.on_connected(*this, [this, generation = generation_](bool good) {
        if (generation != generation_ || state_ != State::starting) return;
        if (!good) return process_->kill(SIGKILL);
        state_ = State::running;
        unanswered_ = 0;
        died_.clear();
        restart_.on_ready(loop_.now());
        if (restarts_ > 0) log_.major(spec_.name + " is back (process " + std::to_string(process_->pid()) + ")");
        ever_ran_ = true;
        if (const int number = std::exchange(late_signal_, 0); number != 0) process_->kill(number);
        ask_status();
        handlers_.on_running(*this);
    });
}

void Worker::watch_life() {
    unanswered_ = 0;
    life_timer_.start_in(look_every);
}

/// Counts looks, not time: a natkit that was itself held up has not read the answers yet.
void Worker::look_at_life() {
    life_timer_.start_in(look_every);
    if (state_ == State::starting) {
        if (++unanswered_ > longest_start / look_every) give_up_on("does not come to serve");
        return;
    }
    if (state_ != State::running) return;
    if (unanswered_ >= most_unanswered) return give_up_on("does not answer");
    ask_status();
}

void Worker::ask_status() {
    ++unanswered_;
    // A late answer is a sign of life too.
    ask("status", look_every * most_unanswered, [this, generation = generation_](const Result<control::Json>& reply) {
        const bool alive = reply || reply.error().code != Errc::timed_out;
        if (generation != generation_) return;
        if (alive) unanswered_ = 0;
        if (reply) learn_troubles(*reply);
    });
}

void Worker::ask(const std::string& command, Duration timeout,
                 std::function<void(const Result<control::Json>&)> on_reply) {
    client_->set_timeout(timeout);
    client_->request(command, nullptr, std::move(on_reply));
    client_->set_timeout(request_timeout);
}

/// look_at_life() ends one that takes too long.
void Worker::begin_with(const std::string& command, const control::Json& parameters, std::vector<io::Fd> descriptors,
                        control::Client::OnReplyWithDescriptors on_reply) {
    client_->set_timeout(longest_start);
    client_->request(command, parameters, std::move(descriptors), std::move(on_reply));
    client_->set_timeout(request_timeout);
}

void Worker::give_up_on(const std::string& why) {
    log_.failures(spec_.name + " (process " + std::to_string(process_->pid()) + ") " + why + "; killed");
    life_timer_.stop();
    process_->kill(SIGKILL);
}

void Worker::on_exit(io::Process::Exit exit) {
    const auto ended = std::move(process_);
    life_timer_.stop();
    if (state_ == State::stopping) {
        timer_.stop();
        state_ = State::stopped;
        handlers_.on_stopped(*this);
        return;
    }
    degraded_.clear();
    if (!ever_ran_ && exit.known && exit.signal == 0 && exit.status == exit_usage) {
        state_ = State::failed;
        if (handlers_.on_unusable(*this)) return;
    }
    if (std::exchange(replacing_, false)) {
        log_.major(spec_.name + " (process " + std::to_string(ended->pid()) + ") gives way to the installed program");
        return start();
    }
    if (exit.known && exit.signal == 0 && exit.status == cluster::start_again) {
        log_.major(spec_.name + " (process " + std::to_string(ended->pid()) + ") begins anew as a standby");
        return start();
    }
    wait_to_start(spec_.name + " (process " + std::to_string(ended->pid()) + ") " + to_string(exit));
}

void Worker::wait_to_start(const std::string& why) {
    const Duration delay = restart_.on_death(loop_.now());
    ++restarts_;
    state_ = State::waiting;
    died_ = why;
    const auto wait = std::chrono::duration_cast<std::chrono::seconds>(delay);
    log_.failures(why + "; starting it again" + (wait > 0s ? " in " + std::to_string(wait.count()) + " s" : ""));
    if (restart_.young_deaths() == Restart::many_young_deaths) {
        log_.crashes(spec_.name + " has died " + std::to_string(Restart::many_young_deaths) +
                     " times in a row: find the cause above; it is tried again for ever, in the end once a minute");
    }
    timer_.start_in(delay);
    if (handlers_.on_troubles) handlers_.on_troubles(*this);
}

void Worker::learn_troubles(const control::Json& status) {
    std::vector<std::string> told;
    const auto found = status.is_object() ? status.find("degraded") : status.end();
    if (status.is_object() && found != status.end()) {
        for (const control::Json& one : *found) {
            if (one.is_string()) told.push_back(one.get<std::string>());
        }
    }
    if (told == degraded_) return;
    degraded_ = std::move(told);
    if (handlers_.on_troubles) handlers_.on_troubles(*this);
}

std::vector<std::string> Worker::troubles() const {
    if (!died_.empty()) return {died_ + "; not back yet"};
    std::vector<std::string> list;
    list.reserve(degraded_.size());
    for (const std::string& one : degraded_) list.push_back(spec_.name + ": " + one);
    return list;
}

void Worker::on_time() {
    if (state_ == State::waiting) return start();
    if (state_ != State::stopping || !process_) return;
    if (insistence_++ == 0) {
        process_->kill(SIGTERM);
        timer_.start_in(patience_before_kill);
    } else {
        log_.failures(spec_.name + " does not end; killed");
        process_->kill(SIGKILL);
    }
}

void Worker::stop() {
    if (state_ == State::stopping) return;
    timer_.stop();
    if (!process_) {
        state_ = State::stopped;
        handlers_.on_stopped(*this);
        return;
    }
    const bool serves = state_ == State::running;
    state_ = State::stopping;
    insistence_ = 0;
    if (serves) {
        client_->request("stop", nullptr, [](const Result<control::Json>&) {});
        timer_.start_in(patience_before_term);
    } else {
        process_->kill(SIGTERM);
        insistence_ = 1;
        timer_.start_in(patience_before_kill);
    }
}

void Worker::replace() {
    if (state_ != State::running) return;
    replacing_ = true;
    process_->kill(SIGKILL);  // what a crash does not lose, this does not
}

void Worker::retry() {
    if (state_ != State::waiting) return;
    timer_.stop();
    restart_.reset();
    start();
}

void Worker::signal(int number) {
    if (state_ == State::running) process_->kill(number);
    if (state_ == State::starting) late_signal_ = number;
}

Duration Worker::uptime() const noexcept {
    return process_ ? loop_.now() - started_ : Duration::zero();
}

}  // namespace natkit::supervise
