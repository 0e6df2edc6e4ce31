#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "natkit/engine/control/client.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::web {

using control::Json;

/// What natkit-web knows of the others: it asks natkit and its programs over their control sockets. However many pages
/// are open, each is asked at most once a second; while none is, natkit alone, every five.
class Backend {
  public:
    Backend(io::Loop& loop, const std::string& natkit_socket, const std::string& runtime_dir);

    using OnReply = std::function<void(const Result<Json>& reply)>;
    void ask(const std::string& program, const std::string& command, const Json& params, OnReply on_reply);

    /// A list, and the same as text.
    struct Listed {
        Json value;
        std::string text;
    };
    using OnList = std::function<void(const Result<const Listed*>& list)>;
    /// The list of that command, its first thousands (`next` tells of more): one answer serves all who ask within a
    /// second.
    void ask_shared(const std::string& program, const std::string& command, OnList on_list);

    /// The lines of all programs' logs after those that `after` says (program → number), with what to ask for next.
    void log(const std::map<std::string, std::uint64_t>& after, std::function<void(Json)> on_log);

    /// What the overview shows: natkit's status, packets a second, one-way calls by cause, refused sources, history.
    [[nodiscard]] Json overview() const;
    /// Called each time the overview is new.
    void on_news(std::function<void()> handler) { on_news_ = std::move(handler); }
    /// Whether anybody looks at present.
    void set_lookers(std::function<bool()> anybody_looks) { anybody_looks_ = std::move(anybody_looks); }
    /// Somebody has begun to.
    void look_now();

    static constexpr Duration look_every = std::chrono::seconds(1);     ///< while somebody looks
    static constexpr Duration history_every = std::chrono::seconds(5);  ///< else too
    static constexpr std::size_t longest_history = 180;                 ///< 15 minutes

  private:
    struct Shared {
        Listed list;
        Instant good_until{};
        std::vector<OnList> waiting;
    };
    struct Refused {
        std::string source;
        std::string reason;
        std::string call_id;
        std::uint64_t count = 0;
        std::int64_t last_ms = 0;
    };
    struct Point {
        std::int64_t time_ms = 0;
        std::uint64_t calls = 0, clients = 0, sessions = 0, packets = 0;
    };

    [[nodiscard]] control::Client& client(const std::string& program);
    void look();
    void on_status(const Result<Json>& status);
    void on_record(const Json& record);
    void note_history();

    io::Loop& loop_;
    std::map<std::string, std::unique_ptr<control::Client>> clients_;
    std::map<std::string, Shared> shared_;
    io::Timer timer_;
    std::function<void()> on_news_;
    std::function<bool()> anybody_looks_;
    bool looking_ = false;
    bool in_snapshot_ = true;
    Instant looked_{};
    Instant noted_{};  ///< in the history
    Json status_ = Json::object();
    std::string trouble_;  ///< why there is no status
    std::map<std::string, std::uint64_t> one_way_;
    std::deque<Refused> refused_;  ///< the newest first
    std::deque<Point> history_;
};

}  // namespace natkit::web
