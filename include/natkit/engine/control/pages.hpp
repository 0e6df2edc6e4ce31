#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "natkit/engine/control/client.hpp"

namespace natkit::control {

/// A list that may be longer than a line: `{"NAME": [record, …], "next": "KEY"}`, where the request `{"after": "KEY"}`
/// gives what follows; without `next` there is no more. Include <nlohmann/json.hpp> where it is used.
class Page {
  public:
    explicit Page(std::string name);
    ~Page();
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    void add(Json record);
    /// What comes next belongs to another page. One record more always fits.
    [[nodiscard]] bool full() const noexcept;
    /// `last`: the key of the last record in it, where there is more.
    [[nodiscard]] Json close(const Json& last);
    [[nodiscard]] Json close();

  private:
    std::string name_;
    std::unique_ptr<Json> records_;
    std::size_t bytes_ = 0;
};

/// Asks for page after page, and gives one reply of all of them: with `next` left in it where there are more than
/// `most` records. `params` are of each request. The client outlives it, or the callback is not called.
void request_pages(Client& client, const std::string& command, std::size_t most, Client::OnReply on_reply,
                   const Json& params);
void request_pages(Client& client, const std::string& command, std::size_t most, Client::OnReply on_reply);

}  // namespace natkit::control
