#include "natkit/redis/session.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::redis {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_delay = 100ms;
constexpr Duration longest_delay = 2s;
constexpr std::size_t longest_error = 200;

struct Meaning {
    std::string_view begins;
    std::string_view means;
};
constexpr std::array meanings = {
    Meaning{"WRONGPASS", "wrong user or password ([cluster] user, password_file)"},
    Meaning{"ERR invalid password", "wrong password ([cluster] password_file)"},
    Meaning{"ERR Client sent AUTH", "it wants no password, and one is given"},
    Meaning{"NOAUTH", "it wants a password ([cluster] password_file)"},
    Meaning{"NOPERM", "the user lacks rights"},
    Meaning{"OOM", "its memory is full (maxmemory)"},
    Meaning{"MISCONF", "it cannot save to its disk, and takes no writes"},
    Meaning{"LOADING", "it is loading its data"},
    Meaning{"READONLY", "it is a read-only replica"},
    Meaning{"MASTERDOWN", "it is a replica that has lost its master"},
};

std::string run_of(std::string_view info) {
    constexpr std::string_view key = "run_id:";
    const std::size_t at = info.find(key);
    if (at == std::string_view::npos) return {};
    const std::size_t begin = at + key.size();
    return std::string(info.substr(begin, text::line_end(info, begin) - begin));
}

}  // namespace

std::string explain(std::string_view error) {
    const std::string said = text::printable(error, longest_error);
    for (const Meaning& meaning : meanings) {
        if (error.starts_with(meaning.begins)) return std::string(meaning.means) + ": " + said;
    }
    return said;
}

bool is_of_connection(std::string_view error) noexcept {
    constexpr std::array<std::string_view, 5> begins = {"LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "WRONGPASS"};
    return std::ranges::any_of(begins, [error](std::string_view begin) { return error.starts_with(begin); });
}

struct Session::Impl : std::enable_shared_from_this<Session::Impl> {
    io::Loop& loop;
    io::Dns& dns;
    Options options;
    Handlers handlers;
    std::unique_ptr<Connection> connection;
    io::Timer again;
    Duration delay = first_delay;
    std::string run;
    std::size_t next_address = 0;
    bool ready = false;

    Impl(io::Loop& on, io::Dns& by, Options with, Handlers to)
        : loop(on), dns(by), options(std::move(with)), handlers(std::move(to)), again(on, [this] { begin(); }) {}

    void begin();
    void resolve(dns::Query::Kind kind);
    void connect(const IpAddress& address);
    void log_in();
    void step(std::vector<std::string_view> words, std::function<void(const Reply& reply)> then);
    void lost(const std::string& why);
};

void Session::Impl::begin() {
    if (const auto address = IpAddress::parse(options.host)) return connect(*address);
    resolve(dns::Query::Kind::a);
}

void Session::Impl::resolve(dns::Query::Kind kind) {
    const std::weak_ptr<Impl> weak = weak_from_this();
    dns.ask({.kind = kind, .name = options.host}, [weak, kind](const dns::Answer& answer) {
        const auto impl = weak.lock();
        if (!impl) return;
        if (!answer.addresses.empty()) {
            // A server that does not answer may have another address.
            return impl->connect(answer.addresses[impl->next_address++ % answer.addresses.size()]);
        }
        if (kind == dns::Query::Kind::a) return impl->resolve(dns::Query::Kind::aaaa);
        impl->lost("the name " + impl->options.host + " has no address");
    });
}

void Session::Impl::connect(const IpAddress& address) {
    connection =
        std::make_unique<Connection>(loop, Endpoint{address, options.port}, options.timeout,
                                     Connection::Handlers{.on_connected = [this] { log_in(); },
                                                          .on_lost = [this](const Error& why) { lost(why.message); }});
}

void Session::Impl::log_in() {
    const auto hello = [this] {
        step({"PING"}, [this](const Reply&) {
            ready = true;
            delay = first_delay;
            handlers.on_ready(run);
        });
    };
    const auto identify = [this, hello] {
        const std::array<std::string_view, 2> words = {"INFO", "server"};
        connection->ask(words, [this, hello](const Reply& reply) {
            run = run_of(reply.text().value_or(""));
            hello();
        });
    };
    const auto choose = [this, identify] {
        if (options.database == 0) return identify();
        const std::string number = std::to_string(options.database);
        step({"SELECT", number}, [identify](const Reply&) { identify(); });
    };
    const std::string password = options.password ? options.password() : std::string();
    if (password.empty()) return choose();
    std::vector<std::string_view> words = {"AUTH"};
    if (!options.user.empty()) words.emplace_back(options.user);
    words.emplace_back(password);
    step(std::move(words), [choose](const Reply&) { choose(); });
}

/// A question of the login: the server's refusal ends this attempt, but that it takes no writes at present.
void Session::Impl::step(std::vector<std::string_view> words, std::function<void(const Reply& reply)> then) {
    connection->ask(words, [this, then = std::move(then)](const Reply& reply) {
        const auto error = reply.error();
        if (error && !error->starts_with("MISCONF")) return lost(explain(*error));
        then(reply);
    });
}

void Session::Impl::lost(const std::string& why) {
    const auto keep = shared_from_this();
    ready = false;
    connection.reset();
    again.start_in(delay);
    delay = std::min(delay * 2, longest_delay);
    handlers.on_lost(why);
}

Session::Session(io::Loop& loop, io::Dns& dns, Options options, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, dns, std::move(options), std::move(handlers))) {
    impl_->again.start_in({});
}

Session::~Session() {
    impl_->ready = false;
    impl_->connection.reset();
    impl_->again.stop();
}

bool Session::ready() const noexcept {
    return impl_->ready;
}

void Session::ask(std::span<const std::string_view> words, Connection::OnReply on_reply, Duration patience) {
    if (impl_->ready) impl_->connection->ask(words, std::move(on_reply), patience);
}

void Session::renew(const std::string& why) {
    if (impl_->ready) impl_->lost(why);
}

}  // namespace natkit::redis
