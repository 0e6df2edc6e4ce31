#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "natkit/cluster/owner.hpp"
#include "natkit/cluster/replica_table.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/loop.hpp"
#include "troubles.hpp"

namespace natkit::cluster {

/// What the parts of natkit-cluster share.
struct State {
    io::Loop& loop;
    log::Logger& log;
    Names names;
    std::string node;
    Troubles troubles;
    ReplicaTable table;
    std::uint64_t epoch = 0;    ///< of what is written now, or was read
    std::uint64_t seq = 0;      ///< of what was written last
    std::int64_t clock_ms = 0;  ///< how far this host's time of day is ahead of Redis'
    bool clock_known = false;
    std::unordered_map<std::string, std::string> extras;  ///< members of records that our workers do not know, by key

    State(io::Loop& on, log::Logger& to, Names named, std::string name)
        : loop(on), log(to), names(std::move(named)), node(std::move(name)), troubles(to) {}
};

}  // namespace natkit::cluster
