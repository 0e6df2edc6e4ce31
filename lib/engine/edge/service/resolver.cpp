#include "resolver.hpp"

namespace natkit::edge {
namespace {

constexpr std::chrono::seconds longest_search{5};

}  // namespace

void Resolver::locate(sip::Uri uri, const sip::Abilities& abilities, std::uint64_t seed, OnLocation on_location) {
    const std::uint64_t id = next_++;
    searches_[id] = {.uri = std::move(uri),
                     .abilities = abilities,
                     .seed = seed,
                     .on_location = std::move(on_location),
                     .end = loop_.now() + longest_search,
                     .answers = {},
                     .busy = false};
    advance(id);
    if (!searches_.empty() && !timer_.active()) timer_.start_at(searches_.begin()->second.end);
}

void Resolver::advance(std::uint64_t id) {
    for (;;) {
        const auto found = searches_.find(id);
        if (found == searches_.end() || found->second.busy) return;
        Search& search = found->second;
        const auto known = [&search](const dns::Query& query) -> const dns::Answer* {
            const auto answer = search.answers.find(query);
            return answer == search.answers.end() || !answer->second ? nullptr : &*answer->second;
        };
        const sip::Location location = sip::locate(search.uri, search.abilities, known, search.seed);
        if (location.missing.empty()) return finish(id, location);
        bool asked = false;
        search.busy = true;
        for (const dns::Query& query : location.missing) {
            if (!search.answers.try_emplace(query).second) continue;  // on its way
            asked = true;
            dns_.ask(query, [this, id, query](const dns::Answer& answer) {
                const auto mine = searches_.find(id);
                if (mine == searches_.end()) return;
                mine->second.answers[query] = answer;
                advance(id);
            });
        }
        search.busy = false;
        if (!asked) return;  // what was asked before is still to come
    }
}

void Resolver::finish(std::uint64_t id, const sip::Location& location) {
    const auto found = searches_.find(id);
    const auto on_location = std::move(found->second.on_location);
    searches_.erase(found);
    on_location(location);
}

void Resolver::on_time() {
    while (!searches_.empty() && searches_.begin()->second.end <= loop_.now()) {
        finish(searches_.begin()->first, {.missing = {}, .targets = {}, .failed = true});
    }
    if (!searches_.empty()) timer_.start_at(searches_.begin()->second.end);
}

}  // namespace natkit::edge
