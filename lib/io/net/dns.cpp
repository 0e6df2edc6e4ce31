#include "natkit/io/net/dns.hpp"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/base/text.hpp"
#include "sockaddr.hpp"

namespace natkit::io {
namespace {

using namespace std::chrono_literals;
using Kind = dns::Query::Kind;

constexpr std::size_t max_remembered = 10'000;
constexpr std::size_t max_open = 500;  ///< a descriptor each
constexpr Duration longest_memory = 60s;
constexpr Duration memory_of_none = 15s;
constexpr Duration memory_of_failure = 5s;
constexpr int first_timeout_ms = 1'000;  ///< of one server; doubled in the second round
constexpr int rounds = 2;

/// The library's process-wide part.
bool library_ready() {
    static const bool ready = ::ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    return ready;
}

/// No such name, or a name without such records: an answer, not a failure.
bool says_none(int status) {
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

void read_srv(const unsigned char* bytes, int length, dns::Answer& answer) {
    ares_srv_reply* list = nullptr;
    const int status = ::ares_parse_srv_reply(bytes, length, &list);
    for (const ares_srv_reply* one = list; one != nullptr; one = one->next) {
        const std::string target = one->host != nullptr && *one->host != 0 ? text::lower(one->host) : ".";
        answer.srv.push_back({.priority = one->priority, .weight = one->weight, .port = one->port, .target = target});
    }
    if (list != nullptr) ::ares_free_data(list);
    answer.failed = status != ARES_SUCCESS && !says_none(status);
}

void read_naptr(const unsigned char* bytes, int length, dns::Answer& answer) {
    ares_naptr_reply* list = nullptr;
    const int status = ::ares_parse_naptr_reply(bytes, length, &list);
    const auto text = [](const unsigned char* from) {
        return from == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(from));
    };
    for (const ares_naptr_reply* one = list; one != nullptr; one = one->next) {
        answer.naptr.push_back({.order = one->order,
                                .preference = one->preference,
                                .flags = text(one->flags),
                                .service = text(one->service),
                                .replacement = one->replacement == nullptr ? "" : text::lower(one->replacement)});
    }
    if (list != nullptr) ::ares_free_data(list);
    answer.failed = status != ARES_SUCCESS && !says_none(status);
}

}  // namespace

struct Dns::Impl : std::enable_shared_from_this<Dns::Impl> {
    struct Remembered {
        dns::Answer answer;
        Instant until;
    };
    /// What the library's callback is given; freed by it, and it always comes.
    struct Open {
        std::weak_ptr<Impl> owner;
        dns::Query query;
    };
    /// One query on its way, by a channel of its own: two that shared a socket would share its port, and whoever wants
    /// to forge an answer would have as many numbers to guess at as there are queries (RFC 5452 section 9.2).
    struct Asking {
        Impl& owner;
        ares_channel channel = nullptr;
        std::unordered_map<int, std::unique_ptr<Poll>> polls;
        std::unique_ptr<Timer> timer;
        std::vector<OnAnswer> callbacks{};

        explicit Asking(Impl& of) : owner(of) {}
        Asking(const Asking&) = delete;
        Asking& operator=(const Asking&) = delete;
        /// A callback that is still to come comes from here, with ARES_EDESTRUCTION.
        ~Asking() {
            if (channel != nullptr) ::ares_destroy(channel);
        }
        void watch(ares_socket_t socket, bool readable, bool writable);
        void process(ares_socket_t readable, ares_socket_t writable);
        void arm();
    };

    Loop& loop;
    ares_channel configured = nullptr;  ///< what resolv.conf says; asks nothing itself
    std::unique_ptr<Timer> sweeper;
    std::map<dns::Query, Remembered> memory;
    std::map<dns::Query, std::unique_ptr<Asking>> waiting;
    std::vector<std::unique_ptr<Asking>> over;  ///< answered; their channels may not end inside their own callbacks
    Counters counters;

    explicit Impl(Loop& on) : loop(on) {}

    void open() {
        if (!library_ready()) return;
        ares_options options{};
        options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS;
        options.timeout = first_timeout_ms;
        options.tries = rounds;
        const int wanted = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
        if (::ares_init_options(&configured, &options, wanted) != ARES_SUCCESS) configured = nullptr;
    }
    void close() {
        waiting.clear();
        over.clear();
        if (configured != nullptr) ::ares_destroy(std::exchange(configured, nullptr));
    }

    [[nodiscard]] std::unique_ptr<Asking> new_asking();
    void send(const dns::Query& query, Asking& asking);
    void finish(const dns::Query& query, dns::Answer answer, Duration time);
};

void Dns::Impl::Asking::watch(ares_socket_t socket, bool readable, bool writable) {
    if (!readable && !writable) {
        polls.erase(socket);
        return;
    }
    auto& poll = polls[socket];
    if (!poll) {
        poll = std::make_unique<Poll>(owner.loop, socket, [this, socket](bool can_read, bool can_write) {
            process(can_read ? socket : ARES_SOCKET_BAD, can_write ? socket : ARES_SOCKET_BAD);
        });
    }
    poll->watch(readable, writable);
}

void Dns::Impl::Asking::process(ares_socket_t readable, ares_socket_t writable) {
    ::ares_process_fd(channel, readable, writable);
    arm();  // answered or not, it is still there: see `over`
}

void Dns::Impl::Asking::arm() {
    timeval most{.tv_sec = 1, .tv_usec = 0};
    timeval left{};
    if (callbacks.empty()) return timer->stop();
    const timeval* next = ::ares_timeout(channel, &most, &left);
    timer->start_in(std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec) + 1ms);
}

/// A channel with the servers of the configured one, which is not read from the file again; null where there is none.
std::unique_ptr<Dns::Impl::Asking> Dns::Impl::new_asking() {
    if (configured == nullptr) return nullptr;
    auto asking = std::make_unique<Asking>(*this);
    asking->timer =
        std::make_unique<Timer>(loop, [one = asking.get()] { one->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
    ares_options options{};
    int wanted = 0;
    if (::ares_save_options(configured, &options, &wanted) != ARES_SUCCESS) return nullptr;
    options.sock_state_cb = [](void* self, ares_socket_t socket, int readable, int writable) {
        static_cast<Asking*>(self)->watch(socket, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = asking.get();
    const int opened = ::ares_init_options(&asking->channel, &options, wanted | ARES_OPT_SOCK_STATE_CB);
    ::ares_destroy_options(&options);
    if (opened != ARES_SUCCESS) {
        asking->channel = nullptr;
        return nullptr;
    }
    // The options hold servers by IPv4 alone.
    ares_addr_port_node* servers = nullptr;
    if (::ares_get_servers_ports(configured, &servers) == ARES_SUCCESS && servers != nullptr) {
        static_cast<void>(::ares_set_servers_ports(asking->channel, servers));
        ::ares_free_data(servers);
    }
    return asking;
}

void Dns::Impl::finish(const dns::Query& query, dns::Answer answer, Duration time) {
    if (answer.failed) ++counters.failed;
    if (answer.failed) time = memory_of_failure;
    if (!answer.failed && answer.addresses.empty() && answer.srv.empty() && answer.naptr.empty()) time = memory_of_none;
    if (memory.size() >= max_remembered) {
        const Instant now = loop.now();
        std::erase_if(memory, [now](const auto& entry) { return entry.second.until <= now; });
        if (memory.size() >= max_remembered) memory.clear();
    }
    memory[query] = {.answer = answer, .until = loop.now() + std::clamp<Duration>(time, 1s, longest_memory)};
    const auto found = waiting.find(query);
    if (found == waiting.end()) return;
    const auto callbacks = std::exchange(found->second->callbacks, {});
    over.push_back(std::move(found->second));
    waiting.erase(found);
    sweeper->start_in(0ms);
    for (const OnAnswer& callback : callbacks) callback(answer);
}

void Dns::Impl::send(const dns::Query& query, Asking& asking) {
    ++counters.asked;
    auto* open = new Open{weak_from_this(), query};
    if (query.kind == Kind::a || query.kind == Kind::aaaa) {
        ares_addrinfo_hints hints{};
        hints.ai_family = query.kind == Kind::a ? AF_INET : AF_INET6;
        hints.ai_flags = ARES_AI_NOSORT;
        ::ares_getaddrinfo(
            asking.channel, query.name.c_str(), nullptr, &hints,
            [](void* argument, int status, int, ares_addrinfo* result) {
                const std::unique_ptr<Open> one(static_cast<Open*>(argument));
                const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> list(result, ::ares_freeaddrinfo);
                const auto self = one->owner.lock();
                if (!self || status == ARES_EDESTRUCTION) return;
                dns::Answer answer;
                answer.failed = status != ARES_SUCCESS && !says_none(status);
                int ttl = 60;
                for (const auto* node = list ? list->nodes : nullptr; node != nullptr; node = node->ai_next) {
                    answer.addresses.push_back(from_sockaddr(node->ai_addr).address);
                    ttl = std::min(ttl, node->ai_ttl);
                }
                self->finish(one->query, std::move(answer), std::chrono::seconds(ttl));
            },
            open);
    } else {
        ::ares_query(
            asking.channel, query.name.c_str(), ns_c_in, query.kind == Kind::srv ? ns_t_srv : ns_t_naptr,
            [](void* argument, int status, int, unsigned char* bytes, int length) {
                const std::unique_ptr<Open> one(static_cast<Open*>(argument));
                const auto self = one->owner.lock();
                if (!self || status == ARES_EDESTRUCTION) return;
                dns::Answer answer;
                if (status == ARES_SUCCESS) {
                    one->query.kind == Kind::srv ? read_srv(bytes, length, answer) : read_naptr(bytes, length, answer);
                } else {
                    answer.failed = !says_none(status);
                }
                self->finish(one->query, std::move(answer), longest_memory);
            },
            open);
    }
    asking.arm();
}

Dns::Dns(Loop& loop) : impl_(std::make_shared<Impl>(loop)) {
    impl_->sweeper = std::make_unique<Timer>(loop, [self = impl_.get()] { self->over.clear(); });
    impl_->open();
}

Dns::~Dns() {
    impl_->close();
    impl_->sweeper.reset();
}

void Dns::reload() {
    // Whoever waits is asked for again, by the new servers.
    std::vector<std::pair<dns::Query, std::vector<OnAnswer>>> waiting;
    for (const auto& [query, asking] : impl_->waiting) waiting.emplace_back(query, std::move(asking->callbacks));
    impl_->close();
    impl_->memory.clear();
    impl_->open();
    for (const auto& [query, callbacks] : waiting) {
        for (const OnAnswer& callback : callbacks) ask(query, callback);
    }
}

void Dns::ask(const dns::Query& query, OnAnswer on_answer) {
    const auto self = impl_;
    const auto known = self->memory.find(query);
    if (known != self->memory.end() && known->second.until > self->loop.now()) {
        ++self->counters.cached;
        const dns::Answer answer = known->second.answer;  // the callback may ask again
        return on_answer(answer);
    }
    const auto on_its_way = self->waiting.find(query);
    if (on_its_way != self->waiting.end()) return on_its_way->second->callbacks.push_back(std::move(on_answer));
    auto asking = self->waiting.size() < max_open ? self->new_asking() : nullptr;
    if (!asking) {
        dns::Answer answer;
        answer.failed = true;
        ++self->counters.failed;
        return on_answer(answer);
    }
    asking->callbacks.push_back(std::move(on_answer));
    Impl::Asking& sent = *asking;
    self->waiting.emplace(query, std::move(asking));
    self->send(query, sent);
}

const Dns::Counters& Dns::counters() const noexcept {
    return impl_->counters;
}

}  // namespace natkit::io
