#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "../output.hpp"
#include "../records/records.hpp"
#include "natkit/base/deadlines.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::edge {

/// The records of calls that are over. Each waits for what its legs have counted, two seconds at most: legs that
/// another call goes on to use are not counted for it. At most 4,096 wait; one more is told at once.
class CallRecords {
  public:
    /// `whole`: it is the record of its call, and not of one branch of several.
    using Tell = std::function<void(Json record, bool whole)>;

    CallRecords(io::Loop& loop, Tell tell);

    void on_ended(const CallEvent& event, Now now);
    /// mediarelay's `leg` records of legs that it has freed.
    void on_counted(const Json& legs);

  private:
    struct Waiting {
        Json record;
        bool whole = false;
        std::vector<std::string> missing;  ///< legs
    };
    struct Place {
        std::uint64_t record = 0;
        std::size_t stream = 0;
        const char* end = nullptr;  ///< "a", "b"
    };
    void tell(std::uint64_t number);
    void on_time();

    io::Loop& loop_;
    Tell tell_;
    io::Timer timer_;
    std::unordered_map<std::uint64_t, Waiting> waiting_;
    std::unordered_map<std::string, Place> by_leg_;
    Deadlines<std::uint64_t> deadlines_;
    std::uint64_t last_ = 0;
};

}  // namespace natkit::edge
