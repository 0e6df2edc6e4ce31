#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "feeder.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/engine/role/role.hpp"
#include "state.hpp"

namespace natkit::cluster {

/// A worker of this node: it is told its role, read while it is active, and fed while it is a standby.
class WorkerLink {
  public:
    struct Handlers {
        /// A record changed, or is gone: of an active worker.
        std::function<void(std::string_view key, std::optional<std::string> record)> on_replica;
        std::function<void()> on_reading;  ///< all there is follows
        std::function<void()> on_read;     ///< and is through
        std::function<void()> on_change;   ///< holds(), connected(), or how far the feed is
    };

    /// `kind`: what it holds; nothing where it holds nothing that another node would need.
    WorkerLink(State& state, std::string name, const std::string& runtime_dir, std::optional<Kind> kind,
               Handlers handlers);
    ~WorkerLink() = default;
    WorkerLink(const WorkerLink&) = delete;
    WorkerLink& operator=(const WorkerLink&) = delete;

    void set_standing(const Standing& standing);
    /// Has it confirmed the standing that it was told last?
    [[nodiscard]] bool holds() const noexcept { return held_; }
    /// It is told to be active no more, and has not answered yet: what it tells until then is still to be copied.
    [[nodiscard]] bool leaving() const noexcept { return leaving_; }
    [[nodiscard]] bool connected() const noexcept { return client_->connected(); }
    /// Active: all that it has was read since it began to be.
    [[nodiscard]] bool read() const noexcept { return reading_ == Reading::done; }
    /// For what else it is asked.
    [[nodiscard]] control::Client& client() noexcept { return *client_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::optional<Kind> kind() const noexcept { return kind_; }
    /// Names of the members of its records; empty where it has not told them.
    [[nodiscard]] const std::vector<std::string>& members() const noexcept { return members_; }

    /// Standby: all there is in the table, in place of what it has; then what add() names.
    void feed_all();
    void feed(std::string_view key) { feeder_.add(key); }
    [[nodiscard]] const Feed& feeding() const noexcept { return feeder_.feed(); }

  private:
    void on_state(bool connected, const std::string& why);
    void tell_standing();
    void ask_members();
    void on_record(const control::Json& record);
    void read_page(const std::string& after);
    void on_page(const Result<record::ObjectView>& page);
    [[nodiscard]] std::optional<Feeder::Given> given(const std::string& key) const;
    void begin_work();

    State& state_;
    std::string name_;
    std::optional<Kind> kind_;
    Handlers handlers_;
    std::unique_ptr<control::Client> client_;
    std::optional<Standing> standing_;
    std::vector<std::string> members_;
    Feeder feeder_;
    bool fed_ = false;  ///< feed_all() was called: what a new connection begins with
    bool held_ = false;
    bool leaving_ = false;
    enum class Reading : std::uint8_t { no, running, done } reading_ = Reading::no;
    std::uint64_t round_ = 0;  ///< of the connection and standing that answers belong to
    io::Timer again_;
};

}  // namespace natkit::cluster
