#include "natkit/engine/hep/outlet.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

namespace natkit::hep {
namespace {

/// How often a name is asked for again; its answers are remembered for a minute at most.
constexpr std::chrono::seconds look_up_again{60};
constexpr std::chrono::seconds look_up_soon{5};  ///< while nothing is known of it

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return {};
    return name.data();
}

}  // namespace

Outlet::Outlet(io::Loop& loop, OnChange on_change)
    : on_change_(std::move(on_change)), dns_(loop), timer_(loop, [this] { look_up(); }) {}

void Outlet::configure(const config::Hep& wanted) {
    const bool elsewhere = wanted.target != wanted_.target;
    wanted_ = wanted;
    ++round_;
    timer_.stop();
    if (!wanted.target) {
        destination_.reset();
        return on_change_(destination_);
    }
    Destination destination{
        .collector = {}, .agent = wanted.id, .node = wanted.node.empty() ? host_name() : wanted.node};
    if (destination_ && !elsewhere) destination.collector = destination_->collector;
    destination_ = std::move(destination);
    on_change_(destination_);
    dns_.reload();
    look_up();
}

void Outlet::look_up() {
    if (const auto address = IpAddress::parse(wanted_.target->host)) return set_collector(*address);
    timer_.start_in(destination_->collector ? look_up_again : look_up_soon);
    ask(dns::Query::Kind::a);
}

void Outlet::ask(dns::Query::Kind kind) {
    dns_.ask({.kind = kind, .name = wanted_.target->host}, [this, kind, round = round_](const dns::Answer& answer) {
        if (round == round_) on_answer(kind, answer);
    });
}

/// An address that is known is good until there is another.
void Outlet::on_answer(dns::Query::Kind kind, const dns::Answer& answer) {
    if (!answer.addresses.empty()) return set_collector(answer.addresses.front());
    if (kind == dns::Query::Kind::a) ask(dns::Query::Kind::aaaa);
}

void Outlet::set_collector(const IpAddress& address) {
    const Endpoint collector{.address = address, .port = wanted_.target->port};
    if (destination_->collector == collector) return;
    destination_->collector = collector;
    if (timer_.active()) timer_.start_in(look_up_again);
    on_change_(destination_);
}

nlohmann::ordered_json Outlet::status() const {
    if (!destination_) return nullptr;
    nlohmann::ordered_json status{{"target", to_string(*wanted_.target)}};
    if (destination_->collector) status["address"] = to_string(*destination_->collector);
    status["sent"] = counters_->sent.load();
    status["dropped"] = counters_->dropped.load();
    return status;
}

}  // namespace natkit::hep
