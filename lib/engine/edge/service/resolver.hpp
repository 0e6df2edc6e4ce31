#pragma once

#include <functional>
#include <map>
#include <memory>

#include "natkit/io/net/dns.hpp"
#include "natkit/sip/locate.hpp"

namespace natkit::edge {

/// Carries RFC 3263 searches out: asks the name system what sip::locate() misses, until it misses nothing. A search
/// that takes longer than five seconds ends without a result.
class Resolver {
  public:
    using OnLocation = std::function<void(const sip::Location&)>;

    explicit Resolver(io::Loop& loop) : loop_(loop), dns_(loop), timer_(loop, [this] { on_time(); }) {}
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Calls back once, maybe before it returns.
    void locate(sip::Uri uri, const sip::Abilities& abilities, std::uint64_t seed, OnLocation on_location);
    void reload() { dns_.reload(); }

  private:
    struct Search {
        sip::Uri uri;
        sip::Abilities abilities;
        std::uint64_t seed = 0;
        OnLocation on_location;
        Instant end{};
        std::map<dns::Query, std::optional<dns::Answer>> answers;  ///< asked, and what was said
        bool busy = false;                                         ///< its queries are just being asked
    };

    void advance(std::uint64_t id);
    void finish(std::uint64_t id, const sip::Location& location);
    void on_time();

    io::Loop& loop_;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, Search> searches_;  ///< oldest first
    io::Dns dns_;
    io::Timer timer_;
};

}  // namespace natkit::edge
