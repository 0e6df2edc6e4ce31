#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "natkit/engine/explain/hops.hpp"
#include "natkit/record/pass.hpp"

namespace natkit::explain {

/// Gathers the `pass` records of sipedge; of each pass the last one stays. Each becomes an exchange of two hops, to the
/// edge and from it, as a capture on the edge would show. Bounded: 8192 passes, then all are handed out.
class PassTracker {
  public:
    std::function<void(std::vector<Exchange>)> on_exchanges;  ///< in the order of their first records

    void on_pass(const record::Pass& pass);
    void finish();

  private:
    std::vector<Exchange> exchanges_;
    std::map<std::string, std::size_t> known_;  ///< index in `exchanges_`, by what names a pass
};

}  // namespace natkit::explain
