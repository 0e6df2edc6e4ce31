#include "natkit/engine/control/pages.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace natkit::control {
namespace {

constexpr std::size_t page_bytes = 700'000;  ///< a line has a bound, io::max_line, and one record more must fit

struct Gathering {
    Client& client;
    std::string command;
    std::size_t most = 0;
    Client::OnReply on_reply;
    Json params;
    Json all = Json::array();

    void ask(const std::shared_ptr<Gathering>& self) {
        client.request(command, params, [self](Result<Json> reply) { self->take(self, std::move(reply)); });
    }
    void take(const std::shared_ptr<Gathering>& self, Result<Json> reply) {
        if (!reply) return on_reply(std::move(reply));
        for (Json& record : (*reply)[command]) all.push_back(std::move(record));
        const auto next = reply->find("next");
        if (next != reply->end() && all.size() < most) {
            params["after"] = *next;
            return ask(self);
        }
        (*reply)[command] = std::move(all);
        on_reply(std::move(reply));
    }
};

}  // namespace

Page::Page(std::string name) : name_(std::move(name)), records_(std::make_unique<Json>(Json::array())) {}

Page::~Page() = default;

void Page::add(Json record) {
    bytes_ += record.dump(-1, ' ', false, Json::error_handler_t::replace).size() + 1;
    records_->push_back(std::move(record));
}

bool Page::full() const noexcept {
    return bytes_ > page_bytes;
}

Json Page::close(const Json& last) {
    Json page = close();
    page["next"] = last;
    return page;
}

Json Page::close() {
    return {{name_, std::move(*records_)}};
}

void request_pages(Client& client, const std::string& command, std::size_t most, Client::OnReply on_reply,
                   const Json& params) {
    const auto gathering = std::make_shared<Gathering>(client, command, most, std::move(on_reply), params);
    gathering->ask(gathering);
}

void request_pages(Client& client, const std::string& command, std::size_t most, Client::OnReply on_reply) {
    request_pages(client, command, most, std::move(on_reply), nullptr);
}

}  // namespace natkit::control
