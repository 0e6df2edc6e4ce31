#include "worker_link.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/record/json_members.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;
using control::Json;

constexpr Duration try_again = 500ms;

}  // namespace

WorkerLink::WorkerLink(State& state, std::string name, const std::string& runtime_dir, std::optional<Kind> kind,
                       Handlers handlers)
    : state_(state),
      name_(std::move(name)),
      kind_(kind),
      handlers_(std::move(handlers)),
      client_(
          std::make_unique<control::Client>(state.loop, runtime_dir + "/" + name_ + ".sock", control::random_prefix())),
      feeder_(state, name_, "replica", *client_,
              {.find = [this](const std::string& key) { return given(key); },
               .on_fed = [this] { handlers_.on_change(); },
               .on_failed =
                   [this](const Error&) {
                       if (!again_.active()) again_.start_in(try_again);
                   }}),
      again_(state.loop, [this] { tell_standing(); }) {
    client_->on_state([this](bool connected, const std::string& why) { on_state(connected, why); });
    if (kind_) client_->watch([this](const Json& record) { on_record(record); }, {"replica"});
}

void WorkerLink::on_state(bool connected, const std::string& why) {
    ++round_;
    held_ = leaving_ = false;
    reading_ = Reading::no;
    feeder_.stop();
    if (connected) {
        ask_members();
        tell_standing();
    } else if (state_.log.on(log::Level::low_level)) {
        state_.log.low_level(name_ + ": " + why);
    }
    handlers_.on_change();
}

void WorkerLink::set_standing(const Standing& standing) {
    if (standing_ == standing) return;
    // Another epoch of one who goes on changes nothing of what was read.
    if (!standing_ || standing_->role != standing.role) {
        ++round_;
        reading_ = Reading::no;
        feeder_.stop();
        fed_ = fed_ && standing.role == Role::standby;
        leaving_ = standing_ && standing.role == Role::standby && connected();
    }
    held_ = false;
    standing_ = standing;
    if (connected()) tell_standing();
}

void WorkerLink::tell_standing() {
    if (!standing_ || !connected()) return;
    Json request = Json::object();
    add_standing(request, *standing_);
    client_->request("role", request, [this, told = *standing_, round = round_](const Result<Json>& reply) {
        if (told != standing_ || round != round_) return;
        if (!reply) {
            state_.troubles.set(name_, name_ + " is not " + to_string(told.role) + ": " + to_string(reply.error()));
            if (!again_.active()) again_.start_in(try_again);
            return handlers_.on_change();
        }
        state_.troubles.clear(name_);
        held_ = true;
        leaving_ = false;
        begin_work();
        handlers_.on_change();
    });
}

void WorkerLink::begin_work() {
    if (!kind_) return;
    if (standing_->role == Role::standby) {
        if (fed_ && !feeder_.feed().running()) feed_all();
    } else if (reading_ == Reading::no) {
        reading_ = Reading::running;
        handlers_.on_reading();
        read_page({});
    }
}

void WorkerLink::ask_members() {
    if (!kind_) return;
    client_->request("replica-members", nullptr, [this](const Result<Json>& reply) {
        if (!reply) return;
        members_.clear();
        for (const Json& name : record::list_of(*reply, *kind_ == Kind::leg ? "leg" : "binding")) {
            if (name.is_string()) members_.push_back(name.get<std::string>());
        }
        std::ranges::sort(members_);
    });
}

void WorkerLink::on_record(const Json& record) {
    const bool acts = leaving_ || (standing_ && standing_->role == Role::active);
    if (!acts || record::text_of(record, "type") != "replica") return;
    const auto content = record.find("record");
    if (content == record.end()) return;
    std::optional<std::string> text;
    if (content->is_object()) text = content->dump(-1, ' ', false, Json::error_handler_t::replace);
    handlers_.on_replica(record::text_of(record, "key"), std::move(text));
}

void WorkerLink::read_page(const std::string& after) {
    client_->request_view("replicas", after.empty() ? "{}" : R"({"after":)" + after + "}",
                          [this, round = round_](const Result<record::ObjectView>& page) {
                              if (round == round_) on_page(page);
                          });
}

void WorkerLink::on_page(const Result<record::ObjectView>& page) {
    if (!page) {
        reading_ = Reading::no;
        state_.troubles.set(name_, name_ + ": its records cannot be read: " + to_string(page.error()));
        if (!again_.active()) again_.start_in(try_again);
        return;
    }
    const auto list = page->find("replicas");
    for (const auto& one :
         list ? list->list().value_or(std::vector<record::ValueView>{}) : std::vector<record::ValueView>{}) {
        const auto replica = one.object();
        if (!replica) continue;
        const auto record = replica->find("record");
        if (record && record->object()) handlers_.on_replica(replica->string("key").value_or(""), record->text());
    }
    if (const std::string next = page->text_of("next"); !next.empty()) return read_page(next);
    reading_ = Reading::done;
    handlers_.on_read();
}

void WorkerLink::feed_all() {
    fed_ = true;
    if (!held_ || standing_->role != Role::standby) return;  // once it is
    std::vector<std::string> keys;
    keys.reserve(state_.table.count(*kind_));
    state_.table.for_each([&](const std::string& key, const Replica&) {
        if (kind_of(key) == kind_) keys.push_back(key);
    });
    feeder_.restart(keys);
}

std::optional<Feeder::Given> WorkerLink::given(const std::string& key) const {
    const Replica* replica = state_.table.find(key);
    if (replica == nullptr) return std::nullopt;
    return Feeder::Given{.record = replica->record, .clock_ms = replica->clock_ms, .node = {}};
}

}  // namespace natkit::cluster
