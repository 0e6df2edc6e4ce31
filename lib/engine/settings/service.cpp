#include "natkit/engine/settings/service.hpp"

#include <chrono>
#include <utility>

#include "file.hpp"
#include "natkit/crypto/crypto.hpp"
#include "natkit/io/wall_clock.hpp"
#include "natkit/settings/line_diff.hpp"
#include "show.hpp"
#include "undo.hpp"

namespace natkit::settings {
namespace {

using namespace std::chrono_literals;
using Fds = std::vector<io::Fd>;
using control::Reply;

constexpr std::size_t longest_name = 80;
constexpr auto try_again = 5s;

Error one_error(const config::Problems& problems) {
    std::string text;
    for (const Error& problem : problems) text += (text.empty() ? "" : "\n") + natkit::to_string(problem);
    return {Errc::bad_config, "", text};
}

/// Whose request it is.
struct Session {
    std::string by;
    std::string who;
    std::string client;

    [[nodiscard]] std::string words() const { return client.empty() ? who : who + " (" + client + ")"; }
};

Result<Session> session_of(const Json& request) {
    Session session{.by = request.value("by", ""), .who = {}, .client = request.value("client", "")};
    session.who = request.value("who", session.by);
    for (const std::string* text : {&session.by, &session.who, &session.client}) {
        if (text->size() > longest_name) return fail(Errc::bad_input, "by, who and client have 80 bytes at most");
    }
    return session;
}

/// A text that is to take the place of another one.
struct Edit {
    Session session;
    std::string before;
    std::string after;
    std::string summary;
};

}  // namespace

struct Service::Impl {
    daemon::Configuration source;
    Store store;
    log::Logger log;
    Host host;
    Confirmation confirmation;
    io::Timer timer;
    bool busy = false;  ///< a change is being tried or made

    Impl(io::Loop& loop, const daemon::Configuration& from, std::string folder, log::Logger to, Host with)
        : source(from), store(std::move(folder)), log(to), host(std::move(with)), timer(loop, [this] {
              look_at_time();
          }) {
        const auto left = store.unconfirmed();
        if (!left || left->file != file()) return;
        confirmation = Confirmation(left->pending);
        timer.start_in(confirmation.left(io::wall_now()));
    }

    [[nodiscard]] const std::string& file() const { return source.options().config_file; }
    [[nodiscard]] std::string why_not() const {
        if (file().empty()) return "natkit runs without a configuration file";
        std::string why = why_not_replaceable(file());
        return why.empty() ? store.why_not_writable() : why;
    }

    /// The text of the file, if it is still the one that the request speaks of.
    [[nodiscard]] Result<std::string> text_for(const Json& request) const {
        if (file().empty()) return fail(Errc::refused, "natkit runs without a configuration file");
        auto text = read_file(file());
        if (text && crypto::sha256_hex(*text) != request.value("hash", ""))
            return fail(Errc::refused, "the file was changed meanwhile; look at it again");
        return text;
    }

    void show(const Json& request, const Reply& reply);
    /// What a request of changes or of an older version asks for.
    [[nodiscard]] Result<Edit> edit_of(const Json& request) const;
    void preview(const Json& request, const Reply& reply);
    void apply(const Json& request, const Reply& reply);
    void write(const Edit& edit, const Reply& reply);
    [[nodiscard]] Result<Unconfirmed> keep_both(const Edit& edit);
    void confirm(const Json& request, const Reply& reply);
    void undo_for(const Json& request, const Reply& reply);
    void look_at_time();
    /// Undoes the change that waits; `why` for the log.
    [[nodiscard]] Result<void> take_back(const std::string& why);
};

void Service::Impl::show(const Json& request, const Reply& reply) {
    Json result = {{"type", "settings"}};
    std::string text;
    if (!file().empty()) {
        auto bytes = read_file(file());
        if (!bytes) return reply.error(bytes.error());
        text = std::move(*bytes);
        const config::Draft draft =
            config::draft(text, file(), source.options().base_dir, config::Surroundings::of_process());
        if (!draft.readable) return reply.error(one_error(draft.problems));
        result["file"] = file();
        result["hash"] = crypto::sha256_hex(text);
    }
    const std::string why = why_not();
    result["writable"] = why.empty();
    if (!why.empty()) result["why_not"] = why;
    result["sections"] = pages_of(text, host.running());
    if (const auto& pending = confirmation.pending()) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(confirmation.left(io::wall_now()));
        result["pending"] = {{"who", pending->who}, {"seconds_left", left.count()}, {"version", pending->version}};
        if (const auto version = store.version(pending->version)) result["pending"]["summary"] = version->summary;
        if (request.value("by", "") == pending->by) result["pending"]["yours"] = true;
    }
    reply.ok(result);
}

Result<Edit> Service::Impl::edit_of(const Json& request) const {
    auto session = session_of(request);
    if (!session) return std::unexpected(session.error());
    auto before = text_for(request);
    if (!before) return std::unexpected(before.error());
    Edit edit{.session = std::move(*session), .before = std::move(*before), .after = {}, .summary = {}};
    if (request.contains("version")) {
        const auto number = request["version"].get<unsigned>();
        auto version = store.version(number);
        if (!version) return std::unexpected(version.error());
        edit.after = std::move(version->text);
        edit.summary = "version " + std::to_string(number) + " again: " + summary(edit.before, edit.after);
        return edit;
    }
    const auto changes = changes_of(request);
    if (!changes) return std::unexpected(changes.error());
    auto after = with_changes(edit.before, *changes);
    if (!after) return std::unexpected(after.error());
    edit.after = std::move(*after);
    edit.summary = summary(edit.before, edit.after);
    return edit;
}

void Service::Impl::preview(const Json& request, const Reply& reply) {
    const auto edit = edit_of(request);
    if (!edit) return reply.error(edit.error());
    const std::string name = file().substr(file().rfind('/') + 1);
    Json result = {{"type", "settings_preview"},
                   {"diff", line_diff(edit->before, edit->after, name, name + " (changed)")},
                   {"summary", edit->summary}};
    host.preview(edit->after,
                 [result = std::move(result), reply](std::expected<Json, config::Problems> effects) mutable {
                     result["problems"] = problems_of(effects ? config::Problems() : effects.error());
                     if (effects) {
                         result["effects_text"] = effects_in_words(*effects);
                         result["effects"] = std::move(*effects);
                         result["needs_restart"] = Json::array();
                     } else {
                         result["needs_restart"] = fixed_keys(effects.error());
                     }
                     reply.ok(result);
                 });
}

void Service::Impl::apply(const Json& request, const Reply& reply) {
    auto edit = edit_of(request);
    if (!edit) return reply.error(edit.error());
    if (edit->session.by.empty()) return reply.error({Errc::bad_input, "", "by is missing: who changes it"});
    if (const auto may = confirmation.may_begin(); !may) return reply.error(may.error());
    if (busy) return reply.error({Errc::refused, "", "another change is being made; try again in a moment"});
    if (const std::string why = why_not(); !why.empty()) return reply.error({Errc::refused, "", "read only: " + why});
    if (edit->before == edit->after)
        return reply.error({Errc::bad_input, "", "nothing changes: the file says so already"});
    busy = true;
    const std::string text = edit->after;
    host.preview(text, [this, edit = std::move(*edit), reply](const std::expected<Json, config::Problems>& tried) {
        if (tried) return write(edit, reply);
        busy = false;
        reply.error(one_error(tried.error()));
    });
}

/// Both texts are kept before the file is touched: whatever happens then, the next natkit can undo it.
Result<Unconfirmed> Service::Impl::keep_both(const Edit& edit) {
    const WallTime now = io::wall_now();
    const std::string hash = crypto::sha256_hex(edit.before);
    unsigned before = 0;
    for (const Version& version : store.versions()) {
        if (version.hash == hash && before == 0) before = version.number;
    }
    if (before == 0) {
        const auto number = store.add({.number = 0,
                                       .time = now,
                                       .who = "",
                                       .client = "",
                                       .summary = "as it was found",
                                       .state = State::found,
                                       .hash = hash,
                                       .text = edit.before});
        if (!number) return std::unexpected(number.error());
        before = *number;
    }
    Unconfirmed change{.pending = {}, .file = file(), .before = before, .hash_after = crypto::sha256_hex(edit.after)};
    const auto number = store.add({.number = 0,
                                   .time = now,
                                   .who = edit.session.who,
                                   .client = edit.session.client,
                                   .summary = edit.summary,
                                   .state = State::pending,
                                   .hash = change.hash_after,
                                   .text = edit.after});
    if (!number) return std::unexpected(number.error());
    change.pending = confirmation.begin(*number, edit.session.by, edit.session.who, now);
    if (const auto kept = store.keep(change); !kept) return std::unexpected(kept.error());
    return change;
}

void Service::Impl::write(const Edit& edit, const Reply& reply) {
    const auto now = read_file(file());
    Result<void> done;
    if (!now || *now != edit.before) done = fail(Errc::refused, "the file was changed meanwhile; look at it again");
    if (done) {
        if (const auto kept = keep_both(edit); !kept) done = std::unexpected(kept.error());
    }
    if (done) done = replace_file(file(), edit.after);
    if (!done) {
        busy = false;
        if (const auto begun = confirmation.undo()) store.set_state(begun->version, State::undone);
        store.forget_unconfirmed();
        return reply.error(done.error());
    }
    const unsigned number = confirmation.pending()->version;
    log.major("settings: " + edit.session.words() + " changed " + edit.summary + " (version " + std::to_string(number) +
              "); undone in 60 s unless confirmed");
    timer.start_in(Confirmation::limit);
    host.reload([this, edit, number, reply](const config::Problems& problems) {
        busy = false;
        if (problems.empty()) {
            return reply.ok({{"type", "settings_applied"},
                             {"hash", crypto::sha256_hex(edit.after)},
                             {"version", number},
                             {"summary", edit.summary},
                             {"seconds", Confirmation::limit.count()}});
        }
        static_cast<void>(take_back("it does not take effect"));
        reply.error(one_error(problems));
    });
}

void Service::Impl::confirm(const Json& request, const Reply& reply) {
    const auto session = session_of(request);
    if (!session) return reply.error(session.error());
    const auto confirmed = confirmation.confirm(session->by, io::wall_now());
    if (!confirmed) return reply.error(confirmed.error());
    timer.stop();
    store.set_state(confirmed->version, State::confirmed);
    store.forget_unconfirmed();
    log.major("settings: " + confirmed->who + " confirmed version " + std::to_string(confirmed->version));
    reply.ok({{"version", confirmed->version}});
}

void Service::Impl::undo_for(const Json& request, const Reply& reply) {
    const auto session = session_of(request);
    if (!session) return reply.error(session.error());
    if (busy) return reply.error({Errc::refused, "", "the change is being made; try again in a moment"});
    const std::string words = session->words();
    if (const auto done = take_back("undone by " + (words.empty() ? "somebody" : words)); !done)
        return reply.error(done.error());
    const auto text = read_file(file());
    if (!text) return reply.error(text.error());
    reply.ok({{"hash", crypto::sha256_hex(*text)}});
}

void Service::Impl::look_at_time() {
    if (!confirmation.pending()) return;
    const auto left = confirmation.left(io::wall_now());
    if (left > 0ms) return timer.start_in(left);
    if (busy || !take_back("nobody confirmed it")) timer.start_in(try_again);
}

Result<void> Service::Impl::take_back(const std::string& why) {
    const auto waiting = confirmation.undo();
    if (!waiting) return std::unexpected(waiting.error());
    const auto change = store.unconfirmed();
    if (!change) return fail(Errc::system, "what was kept of the change is gone");
    const std::string whose = "settings: version " + std::to_string(waiting->version) + " by " + waiting->who;
    const auto undone = undo(store, *change);
    if (!undone) {
        confirmation = Confirmation(*waiting);
        log.failures(whose + " cannot be undone (" + why + "): " + natkit::to_string(undone.error()));
        return std::unexpected(undone.error());
    }
    timer.stop();
    log.major(whose + (*undone == Undone::put_back ? " is undone: " : " stays, for the file was edited since: ") + why);
    host.reload([](const config::Problems&) {});
    return {};
}

Service::Service(io::Loop& loop, const daemon::Configuration& source, std::string folder, log::Logger log, Host host)
    : impl_(std::make_unique<Impl>(loop, source, std::move(folder), log, std::move(host))) {}

Service::~Service() = default;

std::optional<unsigned> Service::unconfirmed() const {
    const auto& pending = impl_->confirmation.pending();
    if (!pending) return std::nullopt;
    return pending->version;
}

void Service::serve(control::Server& server) {
    constexpr auto run = control::Server::Repeat::run;
    Impl& impl = *impl_;
    server.on(
        "settings", [&impl](const Json& request, const Fds&, const Reply& reply) { impl.show(request, reply); }, run);
    server.on(
        "settings-preview",
        [&impl](const Json& request, const Fds&, const Reply& reply) { impl.preview(request, reply); }, run);
    server.on("settings-apply",
              [&impl](const Json& request, const Fds&, const Reply& reply) { impl.apply(request, reply); });
    server.on("settings-restore", [&impl](const Json& request, const Fds&, const Reply& reply) {
        if (!request.contains("version")) return reply.error({Errc::bad_input, "", "version is missing"});
        if (request.value("preview", false)) return impl.preview(request, reply);
        impl.apply(request, reply);
    });
    server.on("settings-confirm",
              [&impl](const Json& request, const Fds&, const Reply& reply) { impl.confirm(request, reply); });
    server.on("settings-undo",
              [&impl](const Json& request, const Fds&, const Reply& reply) { impl.undo_for(request, reply); });
    server.on(
        "settings-versions",
        [&impl](const Json&, const Fds&, const Reply& reply) {
            const auto text = read_file(impl.file());
            reply.ok({{"versions", versions_of(impl.store.versions(), text ? crypto::sha256_hex(*text) : "")}});
        },
        run);
}

}  // namespace natkit::settings
