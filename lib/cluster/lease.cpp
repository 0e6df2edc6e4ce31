#include "natkit/cluster/lease.hpp"

namespace natkit::cluster {

Lease::Grant Lease::granted(Instant asked, bool was_there, Instant now) {
    if (now >= asked + term) return Grant::late;
    // Redis has kept it all the time, and so have we.
    const bool goes_on = was_there && until_ && asked < *until_;
    until_ = asked + term;
    return goes_on ? Grant::renewed : Grant::begun;
}

bool Lease::lapses(Instant now) {
    if (!until_ || now < *until_) return false;
    until_.reset();
    return true;
}

}  // namespace natkit::cluster
