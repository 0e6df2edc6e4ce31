#include "natkit/engine/control/client.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "natkit/base/text.hpp"
#include "protocol.hpp"

namespace natkit::control {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_waiting = 65536;
/// What a request holds may come back within lists and objects.
constexpr std::size_t reply_depth = 2 * record::max_depth;

/// What a reply's `ok` holds, good during the call.
using OnAnswer = std::function<void(Result<record::ValueView> reply, std::vector<io::Fd> descriptors)>;

struct Waiting {
    std::string line;
    std::vector<io::Fd> descriptors;  ///< kept for sending again
    OnAnswer on_reply;
    Instant deadline{};
};

/// The number of the request that this line answers with nothing but "ok": most lines are such, and need no parser.
std::optional<std::uint64_t> plain_ok(std::string_view line, std::string_view prefix) {
    constexpr std::string_view begin = R"({"id":")";
    constexpr std::string_view end = R"(","ok":{}})";
    if (!line.starts_with(begin) || !line.ends_with(end) || line.size() < begin.size() + end.size())
        return std::nullopt;
    line = line.substr(begin.size(), line.size() - begin.size() - end.size());
    if (!line.starts_with(prefix) || line.size() <= prefix.size() || line[prefix.size()] != '-') return std::nullopt;
    return text::parse_number(line.substr(prefix.size() + 1), UINT64_MAX);
}

Result<Json> tree_of(const Result<record::ValueView>& reply) {
    if (!reply) return std::unexpected(reply.error());
    return Json::parse(reply->text(), nullptr, false);
}

}  // namespace

struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
    io::Loop& loop;
    std::string prefix;
    std::uint64_t last_id = 0;
    Duration timeout = 10s;
    record::ObjectReader reader{reply_depth};
    record::ObjectReader nothing;
    record::ObjectView empty = *nothing.read("{}");
    std::map<std::uint64_t, Waiting> waiting;  ///< by number: in the order asked
    OnRecord on_record;
    std::vector<std::string> types;  ///< of the records asked for; empty: all
    OnState state_changed;
    std::unique_ptr<io::LineClient> lines;
    std::unique_ptr<io::Timer> timer;
    Instant timer_at{};
    bool alive = true;

    Impl(io::Loop& on, std::string id_prefix) : loop(on), prefix(std::move(id_prefix)) {}

    void start(const std::string& path);
    void connected();
    void on_line(std::string_view line);
    void on_answer(const record::ObjectView& message);
    void finish(std::uint64_t number, Result<record::ValueView> reply, std::vector<io::Fd> descriptors);
    void ask(std::string_view command, std::string_view params, std::vector<io::Fd> descriptors, OnAnswer on_reply,
             Urgency urgency = Urgency::now);
    void arm(Instant deadline);
    void expire();
    void send_watch();
    void transmit(const Waiting& entry, Client::Urgency urgency = Client::Urgency::now);
};

void Client::Impl::start(const std::string& path) {
    const std::weak_ptr<Impl> weak = weak_from_this();
    lines = std::make_unique<io::LineClient>(
        loop, path,
        io::LineClient::Handlers{.on_connected =
                                     [weak] {
                                         if (const auto impl = weak.lock()) impl->connected();
                                     },
                                 .on_line =
                                     [weak](std::string_view line) {
                                         if (const auto impl = weak.lock()) impl->on_line(line);
                                     },
                                 .on_lost =
                                     [weak](const Error& why) {
                                         const auto impl = weak.lock();
                                         if (impl && impl->alive && impl->state_changed)
                                             impl->state_changed(false, to_string(why));
                                     }});
    timer = std::make_unique<io::Timer>(loop, [weak] {
        if (const auto impl = weak.lock()) impl->expire();
    });
}

void Client::Impl::connected() {
    if (on_record) send_watch();
    lines->gather();
    for (auto& [number, entry] : waiting) transmit(entry);
    lines->flush();
    if (state_changed) state_changed(true, {});
}

void Client::Impl::send_watch() {
    Json request = {{"id", prefix + "-watch-" + std::to_string(++last_id)}, {"cmd", "watch"}};
    if (!types.empty()) request["types"] = types;
    lines->send(dump(request));
}

void Client::Impl::transmit(const Waiting& entry, Client::Urgency urgency) {
    // A full queue towards the worker: the request stays here and goes out with the next connection, or times out.
    if (urgency == Client::Urgency::can_wait && entry.descriptors.empty()) {
        lines->send_later(entry.line);
    } else {
        lines->send(entry.line, entry.descriptors);
    }
}

void Client::Impl::arm(Instant deadline) {
    if (timer->active() && timer_at <= deadline) return;
    timer_at = deadline;
    timer->start_at(deadline);
}

void Client::Impl::expire() {
    const auto keep = shared_from_this();
    const Instant now = loop.now();
    std::vector<std::uint64_t> late;
    for (const auto& [number, entry] : waiting) {
        if (entry.deadline <= now) late.push_back(number);
    }
    for (const std::uint64_t number : late) {
        finish(
            number,
            fail(Errc::timed_out, "no answer in " + to_string(std::chrono::ceil<std::chrono::milliseconds>(timeout))),
            {});
    }
    Instant next = Instant::max();
    for (const auto& [number, entry] : waiting) next = std::min(next, entry.deadline);
    if (alive && next != Instant::max()) arm(next);
}

void Client::Impl::finish(std::uint64_t number, Result<record::ValueView> reply, std::vector<io::Fd> descriptors) {
    const auto found = waiting.find(number);
    if (found == waiting.end() || !alive) return;
    const auto on_reply = std::move(found->second.on_reply);
    waiting.erase(found);
    if (on_reply) on_reply(std::move(reply), std::move(descriptors));
}

void Client::Impl::on_line(std::string_view line) {
    const auto keep = shared_from_this();
    if (const auto number = plain_ok(line, prefix)) return finish(*number, empty, {});
    const auto message = reader.read(line);
    if (!message) return;
    if (!message->contains("type")) return on_answer(*message);
    // A record, which may well have an id of its own; replies have no type.
    if (on_record) on_record(Json::parse(line, nullptr, false));
}

void Client::Impl::on_answer(const record::ObjectView& message) {
    const auto id = message.find("id");
    if (!id) return;
    std::vector<io::Fd> descriptors;
    if (const auto count = message.find("fds"); count && count->number()) {
        if (auto taken = lines->take_descriptors(static_cast<std::size_t>(*count->number())))
            descriptors = std::move(*taken);
    }
    const std::string_view text = id->string().value_or("");
    if (!text.starts_with(prefix) || !text.substr(prefix.size()).starts_with('-')) return;
    const auto number = text::parse_number(text.substr(prefix.size() + 1), UINT64_MAX);
    if (!number) return;
    if (const auto ok = message.find("ok")) {
        finish(*number, *ok, std::move(descriptors));
    } else if (const auto error = message.find("error")) {
        finish(*number, std::unexpected(read_error(*error)), {});
    }
}

Client::Client(io::Loop& loop, std::string path, std::string id_prefix)
    : impl_(std::make_shared<Impl>(loop, std::move(id_prefix))) {
    impl_->start(path);
}

Client::~Client() {
    impl_->alive = false;
    impl_->on_record = nullptr;
    impl_->state_changed = nullptr;
    impl_->timer.reset();
    impl_->lines.reset();
}

void Client::request(const std::string& command, const Json& params, OnReply on_reply) {
    request_text(command, params.empty() ? std::string() : dump(params), std::move(on_reply));
}

void Client::request_text(std::string_view command, std::string_view params, OnReply on_reply, Urgency urgency) {
    impl_->ask(
        command, params, {},
        [answer = std::move(on_reply)](const Result<record::ValueView>& reply, const std::vector<io::Fd>&) {
            if (answer) answer(tree_of(reply));
        },
        urgency);
}

void Client::request_view(std::string_view command, std::string_view params, OnView on_reply) {
    impl_->ask(
        command, params, {},
        [answer = std::move(on_reply)](const Result<record::ValueView>& reply, const std::vector<io::Fd>&) {
            if (!reply) return answer(std::unexpected(reply.error()));
            const auto object = reply->object();
            answer(object ? Result<record::ObjectView>(*object) : fail(Errc::bad_input, "the answer is not an object"));
        });
}

void Client::request(const std::string& command, const Json& params, std::vector<io::Fd> descriptors,
                     OnReplyWithDescriptors on_reply) {
    assert(!params.contains("id") && !params.contains("cmd") && "the protocol's own keys");
    impl_->ask(command, params.empty() ? std::string() : dump(params), std::move(descriptors),
               [answer = std::move(on_reply)](const Result<record::ValueView>& reply, std::vector<io::Fd> received) {
                   answer(tree_of(reply), std::move(received));
               });
}

void Client::Impl::ask(std::string_view command, std::string_view params, std::vector<io::Fd> descriptors,
                       OnAnswer on_reply, Urgency urgency) {
    assert(std::ranges::all_of(command, [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); }));
    const std::uint64_t number = ++last_id;
    std::string line;
    line.reserve(params.size() + 96);
    line.append(R"({"id":")").append(prefix).append("-").append(std::to_string(number));
    line.append(R"(","cmd":")").append(command).append("\"");
    if (!descriptors.empty()) line.append(R"(,"fds":)").append(std::to_string(descriptors.size()));
    if (params.size() > 2) {
        line.append(",").append(params.substr(1));
    } else {
        line += '}';
    }
    const bool refused = waiting.size() >= max_waiting || line.size() > io::max_line;
    if (refused) {
        const char* why =
            line.size() > io::max_line ? "the request is longer than 1 MiB" : "65,536 requests wait already";
        const bool posted = loop.post([on_reply, why] { on_reply(fail(Errc::exhausted, why), {}); });
        if (!posted) on_reply(fail(Errc::exhausted, why), {});
        return;
    }
    Waiting& entry = waiting[number];
    entry = {std::move(line), std::move(descriptors), std::move(on_reply), loop.now() + timeout};
    arm(entry.deadline);
    if (lines->connected()) transmit(entry, urgency);
}

void Client::gather() {
    impl_->lines->gather();
}
void Client::flush() {
    impl_->lines->flush();
}

void Client::watch(OnRecord on_record, std::vector<std::string> types) {
    const bool first = !impl_->on_record;
    impl_->types = std::move(types);
    impl_->on_record = std::move(on_record);
    if (first && impl_->lines->connected()) impl_->send_watch();
}

void Client::on_state(OnState on_state) {
    impl_->state_changed = std::move(on_state);
}
void Client::set_timeout(Duration timeout) {
    impl_->timeout = timeout;
}
bool Client::connected() const noexcept {
    return impl_->lines->connected();
}
std::size_t Client::waiting() const noexcept {
    return impl_->waiting.size();
}

std::string random_prefix() {
    std::random_device source;  // getrandom() with libstdc++ on Linux
    return text::hex(source(), 8) + text::hex(source(), 8);
}

}  // namespace natkit::control
