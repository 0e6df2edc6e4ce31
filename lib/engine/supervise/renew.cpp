// `natkit renew`: other programs have been installed, and calls go on.
#include "natkit/engine/supervise/check.hpp"
#include "supervisor_impl.hpp"

namespace natkit::supervise {

/// The request comes twice: natkit's connections end when it becomes another program, and its asker repeats what was
/// not answered. The token says that it is the same.
void Supervisor::Impl::renew(const std::string& token, const control::Reply& reply) {
    if (token.empty()) return reply.error({Errc::bad_input, "token", "missing"});
    if (token == options.renewal) {
        if (renewed > workers.size()) return reply.ok(Json::object());
        waiting_for_renewal.push_back(reply);
        return;
    }
    if (stopping || !announced || !options.on_renew) return reply.error({Errc::refused, "", "not now"});
    // The natkit that comes must be able to start: there is no way back.
    if (const auto usable = check(options.source); !usable) {
        log.failures("not renewed: the configuration cannot be used");
        return reply.error(one_error(usable.error()));
    }
    log.major("the installed programs take over");
    notifier.reloading();
    const Error failed = options.on_renew(token);
    log.failures("not renewed: " + natkit::to_string(failed));
    notifier.ready(summary());
    reply.error(failed);
}

/// All workers run: the next one's turn. After the last one `renewed` is one more than there are.
void Supervisor::Impl::renew_next() {
    if (options.renewal.empty() || stopping || renewed > workers.size()) return;
    if (renewed < workers.size()) {
        workers[renewed++]->replace();
        return;
    }
    log.major("renewed");
    ++renewed;
    for (const control::Reply& reply : waiting_for_renewal) reply.ok(Json::object());
    waiting_for_renewal.clear();
}

}  // namespace natkit::supervise
